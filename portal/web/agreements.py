"""Agreements: what an organization has agreed, for itself and in the operator's editor."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing import agreements, price_rules, price_words
from billing.agreements import Line, Wish
from billing.models import Agreement
from billing.term_values import BadTerm
from portal.deployments import price_effects
from portal.web import doors, states
from portal.web.price_forms import AgreementForm, EndForm, LineForms, items, line_of
from tenants import customers, names, reasons
from tenants.actions import proposals
from tenants.models import Organization

RULES = (
    agreements.BadLines,
    agreements.EndsTooEarly,
    price_rules.MonthlyFromFirst,
    agreements.NoListPrice,
    agreements.Overlaps,
    price_rules.StartsTooEarly,
    price_rules.UnknownItem,
    BadTerm,
    names.BadName,
    reasons.BadReason,
    proposals.AlreadyProposed,
)


def _shown(agreement: Agreement, now: datetime) -> dict[str, Any]:
    return {
        "agreement": agreement,
        "state": states.AGREEMENT[agreements.state_of(agreement, now)],
        "lines": [
            (
                price_words.KINDS.get(one.kind, one.kind),
                price_words.of_item(one.kind, one.item),
                price_words.of_stored(one.kind, one.item, one.value),
            )
            for one in agreement.terms.all()
        ],
    }


@require_GET
@doors.page_for("invoices.read")
def index(request: HttpRequest) -> HttpResponse:
    """What the organization has agreed with the operator, and until when."""
    actor, now = doors.actor(request), timezone.now()
    page = doors.page_of(request, agreements.visible_to(actor))
    context = {"rows": [_shown(one, now) for one in page], "page": page, "now": now}
    return render(request, "agreements/index.html", context)


# ─── the operator's editor ─────────────────────────────────────────────────────────────────────


@require_GET
@doors.page_for("operator.read")
def overview(request: HttpRequest) -> HttpResponse:
    """All organizations' agreements, newest first."""
    now = timezone.now()
    page = doors.page_of(request, agreements.of_all())
    context = {"rows": [_shown(one, now) for one in page], "page": page}
    return render(request, "operator/agreements.html", context)


@require_GET
@doors.page_for("operator.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One agreement; who may, proposes an earlier end."""
    agreement = get_object_or_404(agreements.of_all(), public_id=public_id)
    return _detail(request, agreement, EndForm())


def _detail(
    request: HttpRequest, agreement: Agreement, form: EndForm, status: int = 200
) -> HttpResponse:
    now = timezone.now()
    context = _shown(agreement, now) | {
        "form": form,
        "effect": price_effects.of_organization(agreement.organization),
        "waiting": proposals.waiting_for(agreement.public_id, now=now),
    }
    return render(request, "operator/agreement.html", context, status=status)


@require_POST
@doors.page_for("operator.prices")
def end(request: HttpRequest, public_id: str) -> HttpResponse:
    """Propose that it ends earlier."""
    agreement = get_object_or_404(agreements.of_all(), public_id=public_id)
    form = EndForm(request.POST)
    if form.is_valid():
        try:
            agreements.propose_end(
                agreement=agreement,
                by=doors.actor(request),
                now=timezone.now(),
                **form.cleaned_data,
            )
        except RULES as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Proposed. It is done once another person approves it."))
            return redirect("proposals")
    return _detail(request, agreement, form, status=422)


@require_http_methods(["GET", "POST"])
@doors.page_for("operator.prices")
def new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Propose an agreement with a customer."""
    organization = get_object_or_404(customers.search(), public_id=public_id)
    form = AgreementForm(request.POST or None)
    lines = LineForms(request.POST or None, prefix="line")
    if request.method == "POST" and form.is_valid() and lines.is_valid():
        try:
            wish = _wish(form.cleaned_data, [one.cleaned_data for one in lines])
            agreements.propose(
                organization=organization,
                wish=wish,
                because=form.cleaned_data["because"],
                by=doors.actor(request),
                now=timezone.now(),
            )
        except RULES as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Proposed. It is done once another person approves it."))
            return redirect("proposals")
    return _editor(request, organization, form, lines)


def _wish(chosen: dict[str, Any], rows: list[dict[str, Any]]) -> Wish:
    lines: list[Line] = [
        line_of(row["shape"], row["item"], row["value"]) for row in rows if row.get("shape")
    ]
    return Wish(chosen["reference"], chosen["starts_on"], chosen["ends_on"], lines)


def _editor(
    request: HttpRequest, organization: Organization, form: AgreementForm, lines: Any
) -> HttpResponse:
    context = {
        "customer": organization,
        "form": form,
        "lines": lines,
        "items": items(),
        "effect": price_effects.of_organization(organization),
    }
    wrong = form.errors or (lines.is_bound and not lines.is_valid())
    return render(request, "operator/agreement_new.html", context, status=422 if wrong else 200)
