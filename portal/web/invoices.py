"""Invoices: list, one document, its PDF, and an interim invoice on request."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from billing import documents, drilldown, invoices, queries
from portal.deployments.actions import closing
from portal.lib.periods import seoul_date
from portal.web import doors, etax
from tenants.models import ApiKey
from tenants.numbers import shown


@require_GET
@doors.page_for("invoices.read")
def index(request: HttpRequest) -> HttpResponse:
    """All invoices, and what the next one would be."""
    actor, now = doors.actor(request), timezone.now()
    return render(
        request,
        "invoices/index.html",
        {
            "page": doors.page_of(request, queries.invoices(actor)),
            "draft": invoices.draft(actor.organization, until=now),
            "now": now,
        },
    )


@require_GET
@doors.page_for("invoices.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """The document as it was issued."""
    actor = doors.actor(request)
    invoice = get_object_or_404(queries.invoices(actor), public_id=public_id)
    return render(
        request,
        "invoices/detail.html",
        {
            "etax": etax.rows_of(actor, invoice, seoul_date(timezone.now())),
            "invoice": invoice,
            "lines": invoice.lines.all(),
            "buyer_number": shown(invoice.buyer["business_number"]),
            "seller_number": shown(invoice.seller["business_number"]),
        },
    )


@require_GET
@doors.page_for("invoices.read")
def line(request: HttpRequest, public_id: str, position: int) -> HttpResponse:
    """What a line is made of: its days, and a day's keys, replicas or volumes."""
    actor = doors.actor(request)
    invoice = get_object_or_404(queries.invoices(actor), public_id=public_id)
    found = get_object_or_404(drilldown.lines(actor, invoice), position=position)
    days = drilldown.days(found) if drilldown.is_explained(found) else []
    day = next((one for one in days if str(one.day) == doors.word(request.GET, "day")), None)
    parts = drilldown.parts(actor, found, day.day) if day else []
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
            "item": drilldown.item_of(found) if days else None,
        },
    )


@require_GET
@doors.page_for("invoices.read")
def pdf(request: HttpRequest, public_id: str) -> HttpResponse:
    """The PDF, kept as it was first rendered."""
    invoice = get_object_or_404(queries.invoices(doors.actor(request)), public_id=public_id)
    response = HttpResponse(
        documents.pdf_of(invoice, now=timezone.now()), content_type="application/pdf"
    )
    response["Content-Disposition"] = f'attachment; filename="dure-{invoice.number}.pdf"'
    return response


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
