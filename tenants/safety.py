"""What happens to a person's account: kept, and told to the person in each organization."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from allauth.account import app_settings as account_settings
from allauth.account.internal.flows import reauthentication
from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from tenants import actors, audit, names, notices, origins, rls
from tenants.models import Membership, SignIn, User

DEVICE_COOKIE = "dure_device"
DEVICE_SECONDS = 365 * 24 * 3600
KEPT_SIGN_INS = timedelta(days=365)

# allauth's names of what happened, and the notice that says so.
KINDS = {
    "password_changed": "account.password",
    "password_set": "account.password",
    "password_reset": "account.password",
    "email_changed": "account.email",
    "totp_activated": "account.factor_added",
    "webauthn_added": "account.factor_added",
    "totp_deactivated": "account.factor_removed",
    "webauthn_removed": "account.factor_removed",
    "recovery_codes_generated": "account.recovery_codes",
    "account_connected": "account.linked",
    "account_disconnected": "account.unlinked",
    "sessions_ended": "account.sessions_ended",
    "new_device": "account.new_device",
}


def plain_name(text: str) -> str:
    """A name as another service gives it, if it is one; else none."""
    try:
        return names.normalized(str(text)[:60], longest=60)
    except names.BadName:
        return ""


def happened(what: str, user: User, *, now: datetime, **words: str) -> bool:
    """Audit it and tell the person, in each of their organizations. Whether there was any.

    Unknown events are told nobody: allauth's own mail tells them.
    """
    kind = KINDS.get(what)
    if kind is None:
        return False
    with rls.user(user.pk):
        mine = list(Membership.objects.filter(user=user).select_related("organization", "user"))
    for membership in mine:
        organization = membership.organization
        with rls.tenant(organization.pk, user_id=user.pk):
            by = actors.of_membership(membership)
            audit.record(f"account.{what}", by=by, now=now, subject=user.public_id)
            notices.tell(
                kind,
                organization=organization,
                to=[user],
                now=now,
                place="/account/security/",
                **words,
            )
    return bool(mine)


def confirmed_lately(request: HttpRequest, user: User) -> bool:
    """Whether the person has proven who they are within minutes: what ends an account, or takes
    its data away, asks for it. Who has neither password nor second factor proves it by signing in.
    """
    records = get_authentication_records(request, user)
    if _is_recent(one for one in records if one.get("reauthenticated")):
        return True
    return not can_confirm(user) and _is_recent(records)


def _is_recent(records: Iterable[dict[str, Any]]) -> bool:
    latest = max((float(one.get("at", 0)) for one in records), default=0)
    return time.time() - latest < float(account_settings.REAUTHENTICATION_TIMEOUT)


def can_confirm(user: User) -> bool:
    """Whether there is a page that asks for the proof (``account_reauthenticate``)."""
    return bool(reauthentication.get_reauthentication_flows(user))


def _methods(request: HttpRequest, user: User) -> str:
    """How the person proved who they are: ``password,mfa``."""
    found = [str(one.get("method", "")) for one in get_authentication_records(request, user)]
    return ",".join(dict.fromkeys(found))[:80]


def signed_in(request: HttpRequest, response: HttpResponse, user: User, *, now: datetime) -> None:
    """Keep one sign-in; a browser that this person never used before is told of."""
    token = request.COOKIES.get(DEVICE_COOKIE, "")
    if not 20 <= len(token) <= 64:
        token = secrets.token_urlsafe(24)
    device = hashlib.sha256(token.encode()).hexdigest()
    earlier = SignIn.objects.filter(user=user)
    unknown = earlier.exists() and not earlier.filter(device=device).exists()
    address = origins.of(request).address
    SignIn.objects.create(
        user=user,
        at=now,
        address=address,
        user_agent=request.headers.get("User-Agent", "")[:200],
        methods=_methods(request, user),
        device=device,
    )
    earlier.filter(at__lt=now - KEPT_SIGN_INS).delete()
    response.set_cookie(
        DEVICE_COOKIE,
        token,
        max_age=DEVICE_SECONDS,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
    if unknown:
        happened("new_device", user, now=now, address=address or "–")
