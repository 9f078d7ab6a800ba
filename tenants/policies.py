"""Whether a sign-in meets its organization's rules, asked at every request.

A rule that is not met takes the actor away, for pages and API alike; the person is told which one
and where they can meet it. The operator's own staff always need a second factor.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from tenants import origins
from tenants.addresses import covers
from tenants.models import Membership, Organization, Policy, User

SINGLE_SIGN_ON = "single_sign_on"  # as allauth's records name it
SESSION_BEGAN = "began"  # seconds of the clock, in the session
SESSION_SEEN = "seen"
SEEN_EVERY = 30  # seconds: how often a session writes down that it is in use
WARNING_SECONDS = 120
# What a provider says of a sign-in with a second factor (RFC 8176).
STRONG = frozenset({"mfa", "otp", "hwk", "fido", "swk", "sc"})


class Rule(StrEnum):
    ADDRESS = "address"
    SINGLE_SIGN_ON = "single_sign_on"
    IDLE = "idle"
    AGE = "age"
    SECOND_FACTOR = "second_factor"


@dataclass(frozen=True, slots=True)
class Unmet:
    """The first rule that speaks against a request."""

    rule: Rule
    organization: Organization

    def __str__(self) -> str:
        return sentence(self.rule)


def sentence(rule: Rule) -> str:
    """What the rule says, and what to do."""
    return {
        Rule.ADDRESS: _(
            "The organization allows certain internet addresses only, and yours is not among "
            "them. Use its network, or ask an owner to add the address."
        ),
        Rule.SINGLE_SIGN_ON: _(
            "The organization allows its own single sign-on only. Sign in with it."
        ),
        Rule.IDLE: _("You were away longer than the organization allows. Sign in again."),
        Rule.AGE: _("The organization limits how long a sign-in lasts. Sign in again."),
        Rule.SECOND_FACTOR: _(
            "The organization requires a second factor. Set up an authenticator app or a passkey."
        ),
    }[rule]


def of(organization: Organization) -> Policy | None:
    """The organization's rules; none where nobody made any."""
    return Policy.objects.filter(organization=organization).first()


def second_factors(user: User | OuterRef) -> QuerySet[Authenticator]:
    """What counts as one; recovery codes do not."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    found: QuerySet[Authenticator] = Authenticator.objects.filter(user=user, type__in=kinds)
    return found


def has_second_factor(user: User) -> bool:
    return second_factors(user).exists()


def strength() -> Exists:
    """An annotation of memberships (``strong``): whether the member's account has a second factor.
    ``unmet`` asks for it: with the memberships it costs no further question."""
    return Exists(second_factors(OuterRef("user")))


def came_by(request: HttpRequest, organization: Organization) -> dict[str, Any] | None:
    """The record of a sign-in by this organization's own provider, if it was one."""
    assert isinstance(request.user, User)
    records: list[dict[str, Any]] = get_authentication_records(request, request.user)
    for one in records:
        if (
            one.get("method") == SINGLE_SIGN_ON
            and one.get("organization") == organization.public_id
        ):
            return one
    return None


def _strong(request: HttpRequest, membership: Membership) -> bool:
    record = came_by(request, membership.organization)
    if record is not None and STRONG & set(record.get("amr", ())):
        return True
    return bool(membership.strong)  # type: ignore[attr-defined]  # as ``strength`` annotates


def proved_second_factor(request: HttpRequest, organization: Organization) -> bool:
    """Whether this very session came with a second factor; that the account has one is not it."""
    assert isinstance(request.user, User)
    records: list[dict[str, Any]] = get_authentication_records(request, request.user)
    record = came_by(request, organization)
    by_provider = record is not None and bool(STRONG & set(record.get("amr", ())))
    return by_provider or any(one.get("method") == "mfa" for one in records)


def unmet(request: HttpRequest, membership: Membership) -> Unmet | None:
    """The first rule that this session does not meet in the member's organization. The membership
    is asked with ``strength``."""
    organization = membership.organization
    policy: Policy | None = getattr(organization, "policy", None)
    rule = _broken(request, membership, policy) if policy is not None else None
    if rule is None and organization.is_operator and not _strong(request, membership):
        rule = Rule.SECOND_FACTOR
    return Unmet(rule, organization) if rule else None


def _broken(request: HttpRequest, membership: Membership, policy: Policy) -> Rule | None:
    now, session, organization = time.time(), request.session, membership.organization
    ranges = policy.allowed_addresses
    if ranges and not covers(ranges, origins.of(request).address):
        return Rule.ADDRESS
    if policy.sso_only and came_by(request, organization) is None:
        return Rule.SINGLE_SIGN_ON
    if policy.session_hours and now - session.get(SESSION_BEGAN, now) > policy.session_hours * 3600:
        return Rule.AGE
    if policy.idle_minutes and now - session.get(SESSION_SEEN, now) > policy.idle_minutes * 60:
        return Rule.IDLE
    if policy.mfa_required and not _strong(request, membership):
        return Rule.SECOND_FACTOR
    return None


def see(request: HttpRequest) -> None:
    """Write down that the session is in use. A page that asks by itself does not call it."""
    now, session = time.time(), request.session
    session.setdefault(SESSION_BEGAN, now)
    if now - session.get(SESSION_SEEN, 0) > SEEN_EVERY:
        session[SESSION_SEEN] = now


def key_is_elsewhere(policy: Policy | None, address: str) -> bool:
    """Whether an API key is used from outside the organization's ranges."""
    return policy is not None and bool(
        policy.allowed_addresses and not covers(policy.allowed_addresses, address)
    )
