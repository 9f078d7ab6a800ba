"""The organization itself: where it is, and switching between one's organizations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from portal.catalog.models import Region
from portal.web import doors
from portal.web.context import organizations_of
from tenants.actions import organizations as actions
from tenants.actors import SESSION_ORGANIZATION


class RegionForm(forms.Form):
    region = forms.ChoiceField(
        label=gettext_lazy("Our region"),
        required=False,
        help_text=gettext_lazy(
            "Of the sites that may answer a request, those in this region are asked first. It "
            "neither allows nor forbids a site: data class, projects and keys do that."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["region"]
        assert isinstance(field, forms.ChoiceField)
        known = [(one.code, one.title) for one in Region.objects.all()]
        field.choices = [("", _("No preference")), *known]


@require_http_methods(["GET", "POST"])
@doors.page_for("organization.read")
def index(request: HttpRequest) -> HttpResponse:
    """What the organization is; its region may be chosen with ``organization.change``."""
    actor = doors.actor(request)
    if request.method == "POST":
        actor.require("organization.change")
    form = RegionForm(request.POST or None, initial={"region": actor.organization.region})
    if request.method == "POST" and form.is_valid():
        actions.prefer(region=form.cleaned_data["region"], by=actor, now=timezone.now())
        messages.success(request, _("Saved. The gateway knows within a second."))
        return redirect("organization")
    region = Region.objects.filter(code=actor.organization.region).first()
    context = {"form": form, "region": region}
    status = 422 if form.errors else 200
    return render(request, "organizations/index.html", context, status=status)


@require_POST
@login_required
def switch(request: HttpRequest) -> HttpResponse:
    """Work in another of one's organizations."""
    chosen = request.POST.get("organization", "")
    if chosen not in {one.organization.public_id for one in organizations_of(request)}:
        raise Http404
    request.session[SESSION_ORGANIZATION] = chosen
    return redirect("home")
