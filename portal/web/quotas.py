"""Quotas: what the organization uses and may use; asking for more; the operator's answers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.jobs import quota_use
from portal.web import doors
from portal.web.digits import WholeField
from portal.web.states import QUOTA_RAISE
from tenants import quotas, reasons
from tenants.actions import quota_raises
from tenants.actions.quotas import QuotaOutOfRange, UnknownQuota
from tenants.models import QuotaRaise

REFUSALS = (
    UnknownQuota,
    QuotaOutOfRange,
    quota_raises.NotMore,
    quota_raises.AskedAlready,
    reasons.BadReason,
)
HIGHEST = max(limit.highest for limit in quotas.QUOTAS.values())


class RaiseForm(forms.Form):
    name = forms.ChoiceField(label=gettext_lazy("Of what"), choices=[])
    to_most = WholeField(label=gettext_lazy("How many you need"), min_value=1, max_value=HIGHEST)
    because = forms.CharField(label=gettext_lazy("Why you need it"), max_length=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(name, limit.label) for name, limit in quotas.QUOTAS.items()]
        self.fields["name"].choices = choices  # type: ignore[attr-defined]


class DecisionForm(forms.Form):
    """``most`` of a grant; a refusal needs none."""

    most = WholeField(min_value=0, max_value=HIGHEST, required=False)
    because = forms.CharField(max_length=300)
    grant = forms.BooleanField(required=False)


@require_http_methods(["GET", "POST"])
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """Used and possible, and what was asked for."""
    actor, now = doors.actor(request), timezone.now()
    form = RaiseForm(request.POST or None)
    if request.method == "POST":
        actor.require("orders.create")
        if form.is_valid():
            try:
                quota_raises.ask(by=actor, now=now, **form.cleaned_data)
            except REFUSALS as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Asked. You are told when the operator has decided."))
                return redirect("quotas")
    own = QuotaRaise.objects.visible_to(actor).filter(organization=actor.organization)
    asked = own[: doors.PAGE_SIZE]
    context = {
        "used": quota_use.of(actor.organization, now=now),
        "asked": [_shown(one) for one in asked],
        "form": form,
    }
    return render(request, "quotas/index.html", context, status=422 if form.errors else 200)


def _shown(one: QuotaRaise) -> dict[str, Any]:
    limit = quotas.QUOTAS.get(one.name)
    label = limit.label if limit else one.name
    return {"one": one, "label": label, "state": QUOTA_RAISE[one.state]}


@require_POST
@doors.page_for("orders.create")
def withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    """No longer ask."""
    actor = doors.actor(request)
    own = QuotaRaise.objects.visible_to(actor).filter(organization=actor.organization)
    asked = get_object_or_404(own, public_id=public_id)
    quota_raises.withdraw(asked=asked, by=actor, now=timezone.now())
    messages.success(request, _("Withdrawn."))
    return redirect("quotas")


@require_GET
@doors.page_for("operator.read")
def raises(request: HttpRequest) -> HttpResponse:
    """What customers ask for, the open ones first."""
    rows = QuotaRaise.objects.visible_to(doors.actor(request)).select_related("organization")
    page = doors.page_of(request, rows.order_by("decided_at", "-asked_at", "-pk"))
    context = {"page": page, "rows": [_shown(one) for one in page]}
    return render(request, "operator/quota_raises.html", context)


@require_POST
@doors.page_for("operator.quotas")
def decide(request: HttpRequest, public_id: str) -> HttpResponse:
    """Grant or refuse, with a reason."""
    actor = doors.actor(request)
    asked = get_object_or_404(QuotaRaise.objects.visible_to(actor), public_id=public_id)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give a number and a reason."))
        return redirect("quota_raises")
    chosen = form.cleaned_data
    most = (chosen["most"] or asked.to_most) if chosen["grant"] else None
    try:
        quota_raises.decide(
            asked=asked, most=most, because=chosen["because"], by=actor, now=timezone.now()
        )
    except (quota_raises.Decided, QuotaOutOfRange, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Decided, and told to the customer."))
    return redirect("quota_raises")
