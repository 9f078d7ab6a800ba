"""The operator's look at issued invoices, and proposing a credit note."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from billing import credit_notes, documents, queries
from billing.models import Invoice
from portal.web import doors
from portal.web.invoices import document_of, with_states
from tenants import audit, reasons
from tenants.actions import proposals

REFUSED = (
    credit_notes.UnknownLine,
    credit_notes.NothingTakenBack,
    credit_notes.MoreThanLeft,
    proposals.AlreadyProposed,
    reasons.BadReason,
)


class NotANumber(ValueError):
    def __str__(self) -> str:
        return _("Amounts are whole won, in digits.")


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Invoices of all customers, by number or name."""
    actor, text = doors.actor(request), doors.word(request.GET, "text")[:80]
    audit.seen("customer.read", by=actor, now=timezone.now(), subject=actor.organization.public_id)
    page = doors.page_of(request, queries.any_invoice(actor, text=text))
    context = {
        "page": page,
        "rows": with_states(page),
        "text": text,
        "query": f"text={text}&" if text else "",
    }
    return render(request, "operator/invoices.html", context)


@require_http_methods(["GET", "POST"])
@doors.page_for("operator.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One invoice with what is left of each line; a credit note can be proposed."""
    actor = doors.actor(request)
    invoice = get_object_or_404(queries.any_invoice(actor), public_id=public_id)
    status = 200
    if request.method == "POST":
        actor.require("operator.billing")
        try:
            _propose(request, invoice)
        except (*REFUSED, NotANumber) as error:
            messages.error(request, str(error))
            status = 422
        else:
            messages.success(request, _("Proposed. It is done once another person approves it."))
            return redirect("proposals")
    language = documents.KOREAN if request.LANGUAGE_CODE == "ko" else documents.ENGLISH
    context = document_of(invoice, language) | {
        "left": credit_notes.lines_left(invoice),
        "may": actor.can("operator.billing"),
        "waiting": proposals.waiting_for(invoice.public_id, now=timezone.now()),
        "because": doors.word(request.POST, "because"),
    }
    return render(request, "operator/invoice.html", context, status=status)


def _propose(request: HttpRequest, invoice: Invoice) -> None:
    everything = bool(doors.word(request.POST, "everything"))
    credit_notes.propose(
        invoice=invoice,
        amounts=credit_notes.whole(invoice) if everything else _amounts(request),
        because=doors.word(request.POST, "because"),
        by=doors.actor(request),
        now=timezone.now(),
    )


def _amounts(request: HttpRequest) -> dict[int, int]:
    """Won by the position of the line, of the fields that are filled in."""
    found = {}
    for name in request.POST:
        kind, _dash, position = name.partition("-")
        text = doors.word(request.POST, name).strip().replace(",", "").replace("−", "-")
        if kind != "line" or not text:
            continue
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
            raise NotANumber
        if not (position.isascii() and position.isdecimal() and len(position) <= 9):
            raise credit_notes.UnknownLine
        found[int(position)] = int(text)
    return found
