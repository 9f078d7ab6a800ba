"""A person's own sign-in: second factors, sessions, recent sign-ins; what a rule asks of them."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.adapter import get_adapter as account_adapter
from allauth.mfa.adapter import get_adapter as factor_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.socialaccount.adapter import get_adapter as social_adapter
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from portal.web.context import organizations_of
from tenants.actors import unmet_of
from tenants.models import SignIn, User
from tenants.policies import SESSION_SEEN, Rule

SHOWN_SIGN_INS = 20
METHODS = {
    "password": _("Password"),
    "code": _("Code by e-mail"),
    "email": _("Code by e-mail"),
    "email_verification": _("Code by e-mail"),
    "mfa": _("Second factor"),
    "socialaccount": _("Linked sign-in"),
    "single_sign_on": _("Single sign-on"),
}


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Everything by which this person signs in, on one page."""
    user = _user(request)
    factors = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    of_kind = {kind: [one for one in factors if one.type == kind] for kind in Authenticator.Type}
    codes = of_kind[Authenticator.Type.RECOVERY_CODES]
    context = {
        "totp": of_kind[Authenticator.Type.TOTP],
        "passkeys": of_kind[Authenticator.Type.WEBAUTHN],
        "codes_left": len(codes[0].wrap().get_unused_codes()) if codes else None,
        "session_count": UserSession.objects.filter(user=user).count(),
        "linked": SocialAccount.objects.filter(user=user).count(),
        "linkable": bool(social_adapter().list_apps(request)),
        "sign_ins": [(one, _methods(one)) for one in _recent(user)],
    }
    return render(request, "security/index.html", context)


def _recent(user: User) -> list[SignIn]:
    return list(SignIn.objects.filter(user=user)[:SHOWN_SIGN_INS])


def _methods(one: SignIn) -> str:
    known = [str(METHODS[name]) for name in one.methods.split(",") if name in METHODS]
    return " + ".join(dict.fromkeys(known))


@require_GET
@never_cache
@login_required
def qr_code(request: HttpRequest) -> HttpResponse:
    """The secret that is being set up, for the camera: a file of our own, since pages may show
    no pictures out of their text."""
    secret = request.session.get(SECRET_SESSION_KEY)
    if not secret:
        raise Http404
    adapter = factor_adapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(_user(request), secret))
    return HttpResponse(picture, content_type="image/svg+xml")


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def session(request: HttpRequest) -> HttpResponse:
    """GET: how many seconds are left; asking does not count as use. POST: go on."""
    policy = getattr(getattr(getattr(request, "actor", None), "organization", None), "policy", None)
    if policy is None or not policy.idle_minutes:
        return JsonResponse({"seconds": 0 if unmet_of(request) else None})
    now = time.time()
    if request.method == "POST":
        request.session[SESSION_SEEN] = now
    seen = request.session.get(SESSION_SEEN, now)
    return JsonResponse({"seconds": max(0, round(seen + policy.idle_minutes * 60 - now))})


@require_GET
@never_cache
@login_required
def unmet(request: HttpRequest) -> HttpResponse:
    """Which rule of the organization speaks against this sign-in, and where it can be met."""
    found = unmet_of(request)
    if found is None:
        return redirect("home")
    context: dict[str, Any] = {
        "rule": found,
        "name": str(found.rule),
        "email": _user(request).email,
        "others": [
            one for one in organizations_of(request) if one.organization.pk != found.organization.pk
        ],
    }
    if found.rule in {Rule.IDLE, Rule.AGE}:
        account_adapter().logout(request)
    return render(request, "security/unmet.html", context, status=403)
