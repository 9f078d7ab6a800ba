"""The operator's queue: customers to confirm, their documents, yes or another question."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.web import doors, states
from portal.web.registration import facts
from tenants import audit, reasons, registrations, uploads
from tenants.actions import registrations as actions
from tenants.models import Organization


def _find(public_id: str) -> Organization:
    return get_object_or_404(registrations.queue("all"), public_id=public_id)


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Those with documents to read first."""
    actor, chosen = doors.actor(request), doors.word(request.GET, "state")
    chosen = chosen if chosen in registrations.QUEUES else "waiting"
    audit.seen("customer.read", by=actor, now=timezone.now(), subject=actor.organization.public_id)
    page = doors.page_of(request, registrations.queue(chosen))
    rows = [(one, states.REGISTRATION[one.registration]) for one in page]
    context = {"page": page, "rows": rows, "chosen": chosen, "query": f"state={chosen}&"}
    return render(request, "operator/verifications.html", context)


@require_GET
@doors.page_for("operator.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One customer's numbers, doubts, documents and history."""
    actor, organization = doors.actor(request), _find(public_id)
    audit.seen("customer.read", by=actor, now=timezone.now(), subject=organization.public_id)
    context = {**facts(organization), "organization": organization}
    return render(request, "operator/verification.html", context)


@require_POST
@doors.page_for("operator.verify")
def approve(request: HttpRequest, public_id: str) -> HttpResponse:
    """Vouch for the customer."""
    organization = _find(public_id)
    try:
        actions.approve(
            organization=organization,
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (actions.NothingToDecide, reasons.BadReason) as error:
        messages.error(request, str(error))
        return redirect("verification", public_id=public_id)
    messages.success(request, _("Confirmed. Its live keys and orders are open."))
    return redirect("verifications")


@require_POST
@doors.page_for("operator.verify")
def ask_back(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for another document."""
    organization = _find(public_id)
    try:
        actions.ask_back(
            organization=organization,
            message=doors.word(request.POST, "message"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (actions.NothingToDecide, reasons.BadReason) as error:
        messages.error(request, str(error))
        return redirect("verification", public_id=public_id)
    messages.success(request, _("Asked. The customer's owners are told."))
    return redirect("verifications")


@require_GET
@doors.page_for("operator.verify")
def open_file(request: HttpRequest, public_id: str) -> HttpResponse:
    """A customer's document; the customer's log says who opened it."""
    evidence = registrations.document(public_id)
    if evidence is None:
        raise Http404
    stored = actions.open_file(evidence=evidence, by=doors.actor(request), now=timezone.now())
    return uploads.response(stored)
