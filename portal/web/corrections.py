"""The operator's look at issued invoices; proposing a credit note, or a new invoice in the place of
a wrong one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from billing import credit_notes, documents, queries, renewals
from billing.etax.amendments import Reason
from billing.models import Invoice
from portal.web import doors
from portal.web.invoices import document_of, with_states
from tenants import audit, reasons
from tenants.actions import proposals

REASONS: dict[Reason, Promise | str] = {
    Reason.PARTICULARS: gettext_lazy("It was written wrong (code 01)"),
    Reason.PRICE: gettext_lazy("Price or quantity changed afterwards (code 02)"),
    Reason.RETURN: gettext_lazy("Given back (code 03)"),
    Reason.CANCELLATION: gettext_lazy("The contract is cancelled (code 04)"),
    Reason.LETTER_OF_CREDIT: gettext_lazy("Letter of credit opened later, no VAT (code 05)"),
    Reason.DUPLICATE: gettext_lazy("Billed twice, or by mistake (code 06)"),
}
REFUSED = (
    credit_notes.UnknownLine,
    credit_notes.NothingTakenBack,
    credit_notes.MoreThanLeft,
    credit_notes.NotAllOfIt,
    *renewals.REFUSALS,
    proposals.AlreadyProposed,
    reasons.BadReason,
)


class NotANumber(ValueError):
    def __str__(self) -> str:
        return _("Amounts are whole won, in digits.")


class UnknownReason(ValueError):
    def __str__(self) -> str:
        return _("Choose one of the reasons.")


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
    rows = queries.any_invoice(actor).prefetch_related("lines")
    invoice = get_object_or_404(rows, public_id=public_id)
    status = 200
    if request.method == "POST":
        actor.require("operator.billing")
        try:
            _propose(request, invoice)
        except (*REFUSED, NotANumber, UnknownReason) as error:
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
        "reasons": [(one, REASONS[one]) for one in credit_notes.REASONS],
        "reason": doors.word(request.POST, "reason"),
    }
    return render(request, "operator/invoice.html", context, status=status)


@require_http_methods(["GET", "POST"])
@doors.page_for("operator.billing")
def renew(request: HttpRequest, public_id: str) -> HttpResponse:
    """Propose a right invoice in the place of a wrong one: what each line should have been."""
    actor = doors.actor(request)
    invoice = get_object_or_404(queries.any_invoice(actor), public_id=public_id)
    status = 200
    if request.method == "POST":
        try:
            _propose_renewal(request, invoice)
        except (*REFUSED, NotANumber, UnknownReason) as error:
            messages.error(request, str(error))
            status = 422
        else:
            messages.success(request, _("Proposed. It is done once another person approves it."))
            return redirect("proposals")
    amounts = renewals.usual(invoice)
    context = {
        "invoice": invoice,
        "newer": renewals.newer_than(invoice),
        "lines": [
            (one, doors.word(request.POST, f"line-{one.position}") or amounts[one.position])
            for one in invoice.lines.all()
            if one.position in amounts
        ],
        "waiting": proposals.waiting_for(invoice.public_id, now=timezone.now()),
        "because": doors.word(request.POST, "because"),
        "reasons": [(one, REASONS[one]) for one in renewals.REASONS],
        "reason": doors.word(request.POST, "reason"),
    }
    return render(request, "operator/renewal.html", context, status=status)


def _propose_renewal(request: HttpRequest, invoice: Invoice) -> None:
    renewals.propose(
        invoice=invoice,
        amounts=_amounts(request),
        reason=_reason(request, renewals.REASONS),
        because=doors.word(request.POST, "because"),
        by=doors.actor(request),
        now=timezone.now(),
    )


def _reason(request: HttpRequest, known: tuple[Reason, ...]) -> Reason:
    text = doors.word(request.POST, "reason")
    if text not in known:
        raise UnknownReason
    return Reason(text)


def facts(payload: dict[str, Any]) -> list[tuple[str, str]]:
    """What a proposed credit note or new invoice comes to, for the second person."""
    lines = [
        (_("line %(place)s") % {"place": place}, f"₩{won:,}")
        for place, won in payload["lines"].items()
    ]
    reason = REASONS[Reason(payload.get("reason", Reason.PRICE))]
    return [
        (_("Invoice"), payload["invoice"]),
        (_("Total with VAT"), f"₩{payload['total_won']:,}"),
        (_("Reason"), str(reason)),
        *lines,
    ]


def _propose(request: HttpRequest, invoice: Invoice) -> None:
    everything = bool(doors.word(request.POST, "everything"))
    credit_notes.propose(
        invoice=invoice,
        amounts=credit_notes.whole(invoice) if everything else _amounts(request),
        because=doors.word(request.POST, "because"),
        reason=_reason(request, credit_notes.REASONS),
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
