"""The operator's customers: found, looked at, suspended and lifted, with quotas and notes."""

from __future__ import annotations

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal.routing import deciding
from portal.web import doors, states
from portal.web.digits import WholeField
from tenants import audit, customers, reasons, viewing
from tenants.actions import holds, notes, proposals, quotas
from tenants.models import Organization, StaffView

PLAIN = forms.Textarea(attrs={"rows": 2})


class ReasonForm(forms.Form):
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=300, widget=PLAIN)


class NoteForm(forms.Form):
    text = forms.CharField(label=gettext_lazy("Note"), max_length=2000, widget=PLAIN)


class QuotaForm(forms.Form):
    name = forms.CharField(max_length=32)
    most = WholeField(min_value=0, max_value=1_000_000)
    because = forms.CharField(max_length=300)


def _find(public_id: str) -> Organization:
    return get_object_or_404(customers.search(), public_id=public_id)


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Customers by name, number and state."""
    actor = doors.actor(request)
    audit.seen("customer.read", by=actor, now=timezone.now(), subject=actor.organization.public_id)
    text, state = doors.word(request.GET, "text")[:80], doors.word(request.GET, "state")
    state = state if state in customers.STATES else "all"
    page = doors.page_of(request, customers.search(text=text, state=state))
    rows = [(one, states.CUSTOMER["suspended" if one.held else "active"]) for one in page]
    context = {
        "page": page,
        "rows": rows,
        "text": text,
        "state": state,
        "filtered": bool(text) or state != "all",
        "query": urlencode({"text": text, "state": state}) + "&",
    }
    return render(request, "operator/customers.html", context)


def _shown(request: HttpRequest, organization: Organization, status: int = 200) -> HttpResponse:
    now = timezone.now()
    found = customers.summary(organization, now=now)
    context = {
        "customer": organization,
        "state": states.CUSTOMER["suspended" if found.held else "active"],
        "held": found.held,
        "found": found,
        "waiting": proposals.waiting_for(organization.public_id, now=now),
    }
    return render(request, "operator/customer.html", context, status=status)


@require_GET
@doors.page_for("operator.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One customer: members, keys, quotas, holds, notes, what the staff did."""
    actor, organization = doors.actor(request), _find(public_id)
    audit.seen("customer.read", by=actor, now=timezone.now(), subject=organization.public_id)
    return _shown(request, organization)


def _because(request: HttpRequest) -> str:
    """The reason as it was typed; the actions say what is wrong with it."""
    return doors.word(request.POST, "because")


def _back(public_id: str) -> HttpResponse:
    return redirect("customer", public_id=public_id)


@require_POST
@doors.page_for("operator.suspend")
def suspend(request: HttpRequest, public_id: str) -> HttpResponse:
    """Propose it; a second person decides."""
    organization = _find(public_id)
    try:
        deciding.propose_suspension(
            organization=organization,
            because=_because(request),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (holds.AlreadyHeld, proposals.AlreadyProposed, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Proposed. It is done once another person approves it."))
    return _back(public_id)


@require_POST
@doors.page_for("operator.suspend")
def lift(request: HttpRequest, public_id: str) -> HttpResponse:
    """End the suspension."""
    organization, actor = _find(public_id), doors.actor(request)
    try:
        holds.lift(
            organization=organization, because=_because(request), by=actor, now=timezone.now()
        )
    except (holds.NotHeld, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Lifted. The keys work again within seconds."))
    return _back(public_id)


@require_POST
@doors.page_for("operator.quotas")
def quota(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another quota."""
    organization, form = _find(public_id), QuotaForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give a number and a reason."))
        return _back(public_id)
    try:
        quotas.change(
            organization=organization,
            by=doors.actor(request),
            now=timezone.now(),
            **form.cleaned_data,
        )
    except (quotas.UnknownQuota, quotas.QuotaOutOfRange, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The quota is changed. It holds from the next request on."))
    return _back(public_id)


@require_POST
@doors.page_for("operator.notes")
def note(request: HttpRequest, public_id: str) -> HttpResponse:
    """Write down what colleagues should know."""
    organization = _find(public_id)
    try:
        notes.write(
            organization=organization,
            text=doors.word(request.POST, "text"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except reasons.BadReason as error:
        messages.error(request, str(error))
    return _back(public_id)


@require_POST
@doors.page_for("operator.view_as")
def view(request: HttpRequest, public_id: str) -> HttpResponse:
    """Look at the customer's pages, for half an hour, changing nothing."""
    organization = _find(public_id)
    try:
        begun = viewing.begin(
            organization=organization,
            because=_because(request),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (viewing.OwnOrganization, reasons.BadReason) as error:
        messages.error(request, str(error))
        return _back(public_id)
    request.session[viewing.SESSION_VIEW] = begun.public_id
    return redirect("home")


@require_POST
@doors.page_for("organization.read")
def view_end(request: HttpRequest) -> HttpResponse:
    """Back to one's own pages."""
    actor = doors.actor(request)
    begun: StaffView | None = actor.viewing
    request.session.pop(viewing.SESSION_VIEW, None)
    if begun is None:
        return redirect("home")
    viewing.finish(view=begun, by=actor, now=timezone.now())
    return redirect("customer", public_id=begun.organization.public_id)
