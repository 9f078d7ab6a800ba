"""The rules of sign-in. Nobody locks themselves out, nor all others, by a slip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import addresses, audit, notices, policies
from tenants.actors import Actor
from tenants.models import Organization, Policy, SingleSignOn

IDLE_MINUTES = (5, 1440)
SESSION_HOURS = (1, 720)


class LocksYouOut(Exception):
    """The ranges leave out the address that the change comes from."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return _(
            "These ranges leave out the address that you are on (%(address)s): you would be "
            "locked out. Add it."
        ) % {"address": self.address or "–"}


class SingleSignOnUntested(Exception):
    def __str__(self) -> str:
        return _(
            "Single sign-on has not let anybody in yet. Set it up, sign in with it yourself, then "
            "require it."
        )


class OutOfRange(Exception):
    """``field`` is the wish's field."""

    def __init__(self, field: str, least: int, most: int) -> None:
        super().__init__(field)
        self.field, self.least, self.most = field, least, most

    def __str__(self) -> str:
        return _("Choose a whole number from %(least)d to %(most)d, or none.") % {
            "least": self.least,
            "most": self.most,
        }


@dataclass(frozen=True, slots=True)
class PolicyWish:
    """The rules as they shall be. ``None``: no limit."""

    mfa_required: bool = False
    sso_only: bool = False
    allowed_addresses: Sequence[str] = ()
    idle_minutes: int | None = None
    session_hours: int | None = None


def wish_of(policy: Policy | None) -> PolicyWish:
    """The rules as they are."""
    if policy is None:
        return PolicyWish()
    return PolicyWish(
        mfa_required=policy.mfa_required,
        sso_only=policy.sso_only,
        allowed_addresses=policy.allowed_addresses,
        idle_minutes=policy.idle_minutes,
        session_hours=policy.session_hours,
    )


def _checked(wish: PolicyWish, by: Actor) -> dict[str, object]:
    for field, (least, most) in (("idle_minutes", IDLE_MINUTES), ("session_hours", SESSION_HOURS)):
        value = getattr(wish, field)
        if value is not None and not least <= value <= most:
            raise OutOfRange(field, least, most)
    ranges = addresses.normalized(wish.allowed_addresses)
    if ranges and not addresses.covers(ranges, by.origin.address):
        raise LocksYouOut(by.origin.address)
    return {**asdict(wish), "allowed_addresses": ranges}


@transaction.atomic
def change(*, wish: PolicyWish, by: Actor, now: datetime) -> Policy:
    """Other rules; they hold from everybody's next request on.

    ``BadRange``, ``OutOfRange``, ``LocksYouOut``, ``SingleSignOnUntested``.
    """
    by.require("policies.change")
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    after = _checked(wish, by)
    policy = policies.of(by.organization)
    before = asdict(wish_of(policy))
    if wish.sso_only and not before["sso_only"]:
        _require_tested(by)
    changes = {
        name: {"from": before[name], "to": value}
        for name, value in after.items()
        if before[name] != value
    }
    if policy is None:
        policy = Policy(organization=by.organization)
    if changes or policy.pk is None:
        for name, value in after.items():
            setattr(policy, name, value)
        policy.changed_at = now
        policy.save()
        audit.record(
            "policies.change", by=by, now=now, subject=by.organization.public_id, changes=changes
        )
        _tell(by, now)
    return policy


def _require_tested(by: Actor) -> None:
    found = SingleSignOn.objects.visible_to(by).first()
    if found is None or found.tested_at is None:
        raise SingleSignOnUntested


def _tell(by: Actor, now: datetime) -> None:
    notices.tell(
        "policies.changed",
        organization=by.organization,
        to=notices.holders(by.organization, "policies.change"),
        now=now,
        place="/policies/",
        by=by.label,
    )
