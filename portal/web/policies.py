"""The organization's rules of sign-in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from portal.web import doors
from portal.web.digits import WholeField
from tenants import addresses, policies
from tenants.actions import policies as actions
from tenants.models import DomainClaim, SingleSignOn


class PolicyForm(forms.Form):
    mfa_required = forms.BooleanField(
        label=gettext_lazy("Everybody needs a second factor"),
        required=False,
        help_text=gettext_lazy("Who has none is asked to set one up before anything else."),
    )
    sso_only = forms.BooleanField(
        label=gettext_lazy("Single sign-on only"),
        required=False,
        help_text=gettext_lazy("Passwords and codes no longer open this organization."),
    )
    addresses = forms.CharField(
        label=gettext_lazy("Internet addresses"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One range a line, such as 203.0.113.0/24. Empty: from anywhere. They hold for pages "
            "and for the control API, not for calls of models: give the keys ranges for that."
        ),
    )
    idle_minutes = WholeField(
        label=gettext_lazy("Sign out after minutes without use"),
        required=False,
        help_text=gettext_lazy("5 to 1440. Two minutes before, the page warns. Empty: never."),
    )
    session_hours = WholeField(
        label=gettext_lazy("A sign-in lasts hours"),
        required=False,
        help_text=gettext_lazy("1 to 720. Empty: 12 hours after the last use."),
    )

    def clean_addresses(self) -> list[str]:
        lines = [line for line in self.cleaned_data["addresses"].splitlines() if line.strip()]
        try:
            return addresses.normalized(lines)
        except addresses.BadRange as error:
            raise forms.ValidationError(str(error), code="addresses") from error

    def wish(self) -> actions.PolicyWish:
        sent = dict(self.cleaned_data)
        return actions.PolicyWish(allowed_addresses=sent.pop("addresses"), **sent)


def _initial(wish: actions.PolicyWish) -> dict[str, Any]:
    return {
        "mfa_required": wish.mfa_required,
        "sso_only": wish.sso_only,
        "addresses": "\n".join(wish.allowed_addresses),
        "idle_minutes": wish.idle_minutes,
        "session_hours": wish.session_hours,
    }


@require_http_methods(["GET", "POST"])
@doors.page_for("policies.change")
def index(request: HttpRequest) -> HttpResponse:
    """See and change the rules. They hold from the next request on, one's own too."""
    actor = doors.actor(request)
    now_set = actions.wish_of(policies.of(actor.organization))
    form = PolicyForm(request.POST or None, initial=_initial(now_set))
    if request.method == "POST" and form.is_valid():
        try:
            actions.change(wish=form.wish(), by=actor, now=timezone.now())
        except actions.LocksYouOut as error:
            form.add_error("addresses", str(error))
        except actions.SingleSignOnUntested as error:
            form.add_error("sso_only", str(error))
        except actions.OutOfRange as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, _("Saved. The rules hold from everybody's next request on."))
            return redirect("policies")
    context = {
        "form": form,
        "address": actor.origin.address,
        "connection": SingleSignOn.objects.visible_to(actor).first(),
        "domains": DomainClaim.objects.visible_to(actor),
    }
    return render(request, "policies/index.html", context, status=422 if form.errors else 200)
