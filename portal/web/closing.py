"""Closing the organization: what happens when, the wish, and taking it back."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing import queries as money
from portal.deployments.models import Endpoint, EndpointKind
from portal.web import doors
from portal.web.digits import WholeField
from tenants.actions import closings
from tenants.models import ApiKey


class ClosingForm(forms.Form):
    typed_name = forms.CharField(
        label=gettext_lazy("Type the name of the organization"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = WholeField(
        label=gettext_lazy("Closes in how many days"),
        help_text=gettext_lazy("1 to 90. An owner can undo it until then."),
        min_value=closings.FEWEST_DAYS,
        max_value=closings.MOST_DAYS,
        initial=closings.USUAL_DAYS,
    )


@require_http_methods(["GET", "POST"])
@doors.page_for("organization.read")
def index(request: HttpRequest) -> HttpResponse:
    """Everybody sees the dates; owners may ask for it."""
    actor, now = doors.actor(request), timezone.now()
    form = ClosingForm(request.POST or None)
    if request.method == "POST":
        actor.require("organization.close")
        if form.is_valid():
            try:
                closings.ask(by=actor, now=now, **form.cleaned_data)
            except (closings.NameDiffers, closings.NeverCloses) as error:
                form.add_error("typed_name", str(error))
            else:
                messages.success(request, _("The organization closes on the day that stands here."))
                return redirect("organization_close")
    organization = actor.organization
    mine = Endpoint.objects.visible_to(actor).filter(organization=organization)
    context = {
        "form": form,
        "kept_until": closings.kept_until(organization),
        "usual": now + timedelta(days=closings.USUAL_DAYS),
        "begun": organization.closes_at is not None and organization.closes_at <= now,
        "endpoints": mine.filter(kind=EndpointKind.DEDICATED, stopped_at=None).count(),
        "keys": ApiKey.objects.visible_to(actor).filter(revoked_at=None).count(),
        "invoice": money.invoices(actor).first() if actor.can("invoices.read") else None,
    }
    return render(request, "organizations/close.html", context, status=422 if form.errors else 200)


@require_POST
@doors.page_for("organization.close")
def undo(request: HttpRequest) -> HttpResponse:
    """Keep the organization."""
    try:
        closings.undo(by=doors.actor(request), now=timezone.now())
    except closings.ClosingBegan as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The organization stays."))
    return redirect("organization_close")
