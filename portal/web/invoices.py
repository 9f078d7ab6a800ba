"""Invoices: list, one document, its PDF, and an interim invoice on request."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from billing import (
    documents,
    drilldown,
    invoices,
    queries,
    reminding,
    renewals,
    shares,
    totals,
)
from billing.document_words import vat_sentence
from billing.funding import drawing
from billing.models import Invoice
from billing.shares import Share
from billing.vat import VatRule
from portal.deployments.actions import closing
from portal.lib.periods import seoul_date
from portal.web import doors, etax, states
from tenants import rls
from tenants.models import ApiKey
from tenants.numbers import shown


@require_GET
@doors.page_for("invoices.read")
def index(request: HttpRequest) -> HttpResponse:
    """All invoices, drafts that can be looked at, credit notes, and what the next one would be."""
    actor, now = doors.actor(request), timezone.now()
    found = invoices.draft(actor.organization, until=now)
    page = doors.page_of(request, queries.invoices(actor))
    return render(
        request,
        "invoices/index.html",
        {
            "page": page,
            "rows": with_states(page),
            "draft": totals.complete(found, actor.organization),
            "drafts": queries.drafts_in_review(actor),
            "credit_notes": queries.credit_notes(actor)[: doors.PAGE_SIZE],
            "now": now,
        },
    )


def with_states(found: Iterable[Invoice]) -> list[tuple[Invoice, states.State]]:
    """Each invoice with whether it is paid, and whether it is late."""
    rows = list(found)
    left = shares.of_many(rows)
    return [(one, _state(left[one.pk])) for one in rows]


def _state(left: list[Share]) -> states.State:
    if not left:
        return states.PAYMENT["settled"]
    late = shares.is_late(left, seoul_date(timezone.now()))
    return states.PAYMENT["overdue" if late else "waiting"]


def document_of(invoice: Invoice, language: str) -> dict[str, object]:
    """What the pages of customers and of the operator show of an invoice."""
    taken = {one.step: one for one in invoice.reminders.all()}
    left = shares.of(invoice)
    return {
        "invoice": invoice,
        "lines": invoice.lines.all(),
        "buyer_number": shown(invoice.buyer["business_number"]),
        "seller_number": shown(invoice.seller["business_number"]),
        "vat_sentence": vat_sentence(VatRule.parse(invoice.vat_rule), language),
        "open_won": sum(one.won for one in left),
        "awaited": next((one for one in left if one.of_programme), None),
        "state": _state(left),
        "notes": invoice.credit_notes.all(),
        "parts": drawing.parts_of(invoice),
        "newer": renewals.newer_than(invoice),
        "older": invoice.renews.invoice if invoice.renews else None,
        "dates": [
            (share, step, day, taken.get(name))
            for share, step, day, name in reminding.dates(invoice)
        ],
    }


@require_GET
@doors.page_for("invoices.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """The document as it was issued, what was taken back of it, and what follows when."""
    actor = doors.actor(request)
    invoice = get_object_or_404(queries.invoices(actor), public_id=public_id)
    language = documents.KOREAN if request.LANGUAGE_CODE == "ko" else documents.ENGLISH
    rows = etax.rows_of(actor, invoice, seoul_date(timezone.now()))
    return render(request, "invoices/detail.html", document_of(invoice, language) | {"etax": rows})


@require_GET
@doors.page_for("invoices.read")
def line(request: HttpRequest, public_id: str, position: int) -> HttpResponse:
    """What a line is made of: its days, and a day's keys, replicas or volumes."""
    actor = doors.actor(request)
    invoice = get_object_or_404(queries.invoices(actor), public_id=public_id)
    found = get_object_or_404(drilldown.lines(actor, invoice), position=position)
    used = drilldown.used_by(found)
    days = drilldown.days(used) if drilldown.is_explained(used) else []
    day = next((one for one in days if str(one.day) == doors.word(request.GET, "day")), None)
    parts = drilldown.parts(actor, used, day.day) if day else []
    keys = ApiKey.objects.visible_to(actor).filter(public_id__in=[one.name for one in parts])
    return render(
        request,
        "invoices/line.html",
        {
            "invoice": invoice,
            "line": found,
            "days": days,
            "day": day,
            "parts": parts,
            "keys": dict(keys.values_list("public_id", "name")),
            "used": used,
            "item": drilldown.item_of(used) if days else None,
        },
    )


@require_GET
@doors.page_for("invoices.read")
def pdf(request: HttpRequest, public_id: str) -> HttpResponse:
    """The PDF, kept as it was first rendered; ``?language=en`` is the English copy."""
    invoice = get_object_or_404(queries.invoices(doors.actor(request)), public_id=public_id)
    language = language_of(request)
    content = documents.pdf_of(invoice, now=timezone.now(), language=language)
    return attached(content, f"dure-{invoice.number}", language)


@require_GET
@doors.page_for("invoices.read")
def credit_note(request: HttpRequest, public_id: str) -> HttpResponse:
    """What was taken back of an invoice, and why."""
    note = get_object_or_404(queries.credit_notes(doors.actor(request)), public_id=public_id)
    context = {
        "note": note,
        "lines": note.lines.all(),
        "buyer_number": shown(note.buyer["business_number"]),
        "seller_number": shown(note.seller["business_number"]),
    }
    return render(request, "invoices/credit_note.html", context)


@require_GET
@doors.page_for("invoices.read")
def credit_note_pdf(request: HttpRequest, public_id: str) -> HttpResponse:
    """The same as a PDF."""
    note = get_object_or_404(queries.credit_notes(doors.actor(request)), public_id=public_id)
    language = language_of(request)
    content = documents.credit_pdf_of(note, now=timezone.now(), language=language)
    return attached(content, f"dure-{note.number}", language)


def language_of(request: HttpRequest) -> str:
    """Korean is the original; anything but ``?language=en`` gets it."""
    wanted = doors.word(request.GET, "language")
    return documents.ENGLISH if wanted == documents.ENGLISH else documents.KOREAN


def attached(content: bytes, name: str, language: str) -> HttpResponse:
    """A PDF to keep."""
    suffix = "" if language == documents.KOREAN else f"-{language}"
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}{suffix}.pdf"'
    return response


@rls.own_transactions
@require_POST
@doors.page_for("invoices.issue")
def interim(request: HttpRequest) -> HttpResponse:
    """Bill up to now; the month end bills only the rest."""
    invoice = closing.bill_up_to_now(by=doors.actor(request), now=timezone.now())
    if invoice is None:
        messages.info(request, _("There is nothing to bill yet: below ₩1 since the last invoice."))
        return redirect("invoices")
    messages.success(request, _("Invoice %(number)s is issued.") % {"number": invoice.number})
    return redirect("invoice", invoice.public_id)
