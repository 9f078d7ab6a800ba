"""Signing in by the organization's own provider: there and back."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.core import ratelimit
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from portal.web import doors
from tenants import openid, rls
from tenants.actions import single_sign_on as actions
from tenants.actors import SESSION_ORGANIZATION
from tenants.models import SingleSignOn, User
from tenants.policies import SINGLE_SIGN_ON

TRIP = "sso_trip"
LONGEST_TRIP = 15 * 60  # seconds


class EmailForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address at work"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


def callback_url(request: HttpRequest) -> str:
    """Where providers send people back to. Not from ``Host``: it is compared at the provider."""
    return f"{settings.DURE_WEB_ORIGIN}{reverse('sso_callback')}"


@rls.own_transactions
@never_cache
@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Ask for the address; lead to the provider of its domain."""
    form = EmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not ratelimit.consume(request, action="login"):
            refused: HttpResponse = ratelimit.respond_429(request)
            return refused
        try:
            return _lead_there(request, form.cleaned_data["email"])
        except openid.ProviderFailed as error:
            form.add_error(None, str(error))
    return render(request, "sso/start.html", {"form": form}, status=422 if form.errors else 200)


def _lead_there(request: HttpRequest, email: str) -> HttpResponse:
    through = actions.of_domain(email)
    if through is None:
        raise openid.ProviderFailed(
            _("No organization has set up single sign-on for this domain. Sign in otherwise.")
        )
    provider, trip = openid.discover(through.issuer), openid.new_trip()
    place = openid.way_there(
        provider,
        client_id=through.client_id,
        back=callback_url(request),
        trip=trip,
        hint=email.strip(),
    )
    request.session[TRIP] = asdict(trip) | {
        "through": through.public_id,
        "organization": through.organization_id,
        "issuer": through.issuer,
        "at": time.time(),
    }
    # A page, not a redirect: after a form, browsers follow none to places that `form-action` omits.
    context = {"place": place, "host": urlsplit(place).hostname}
    return render(request, "sso/away.html", context)


@rls.own_transactions
@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Back from the provider: what it says is proven, then the person signs in as always."""
    kept = request.session.pop(TRIP, None)
    try:
        through, claims = _came_back(request, kept)
        user = actions.let_in(through=through, claims=claims, now=timezone.now())
    except (openid.ProviderFailed, actions.NotLetIn) as error:
        return render(request, "sso/refused.html", {"reason": str(error)}, status=403)
    return _sign_in(request, user, through, claims)


def _came_back(
    request: HttpRequest, kept: dict[str, Any] | None
) -> tuple[SingleSignOn, openid.Claims]:
    if kept is None or time.time() - kept["at"] > LONGEST_TRIP:
        raise openid.ProviderFailed(_("This sign-in was not begun here, or too long ago."))
    trip = openid.Trip(kept["state"], kept["nonce"], kept["verifier"])
    if doors.word(request.GET, "state") != trip.state:
        raise openid.ProviderFailed(_("This sign-in was not begun here, or too long ago."))
    code = doors.word(request.GET, "code")
    if not code:
        raise openid.ProviderFailed(_("The provider let nobody in."))
    through = actions.of_trip(kept["organization"], kept["through"])
    if through is None or through.issuer != kept["issuer"]:
        raise openid.ProviderFailed(_("Single sign-on was changed meanwhile. Begin again."))
    claims = openid.exchange(
        openid.discover(through.issuer),
        client_id=through.client_id,
        secret=actions.secret_of(through),
        back=callback_url(request),
        code=code,
        trip=trip,
    )
    return through, claims


def _sign_in(
    request: HttpRequest, user: User, through: SingleSignOn, claims: openid.Claims
) -> HttpResponse:
    """By allauth's own stages: a second factor of the account is asked for as ever."""
    organization = through.organization.public_id
    if request.user.is_authenticated:
        get_adapter().logout(request)
    record_authentication(
        request, user, SINGLE_SIGN_ON, organization=organization, amr=list(claims.amr)
    )
    request.session[SESSION_ORGANIZATION] = organization
    response: HttpResponse = perform_login(request, Login(user=user, email=claims.email))
    return response
