"""Keys that end soon or that nobody uses, told once each to those who can do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError
from django.db.models import Q, QuerySet
from django.urls import reverse

from portal.lib.periods import SEOUL
from tenants import notices, rls
from tenants.models import ApiKey, KeyAnnouncement, Membership, Organization, User

log = structlog.get_logger()

UNUSED = timedelta(days=90)
ENDING = (("3 days", timedelta(days=3)), ("14 days", timedelta(days=14)))


def announce(*, now: datetime) -> int:
    """Look at the keys of every organization that has any to speak of; the number told.

    One organization that fails does not stop the others; what was not told is told tomorrow.
    """
    with rls.everyone(because="keys of all organizations are watched"):
        found = _ending(now).values("organization").union(_idle(now).values("organization"))
        organizations = list(Organization.objects.filter(pk__in=found).order_by("pk"))
    told = 0
    for organization in organizations:
        try:
            with rls.tenant(organization.pk):
                told += _announce(organization, now)
        except DatabaseError:
            log.exception("keys.not_announced", organization=organization.public_id)
    return told


def _live(now: datetime) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None, project__archived_at=None
    ).order_by()


def _ending(now: datetime) -> QuerySet[ApiKey]:
    """Live keys whose end is near. One that was rotated ends on purpose."""
    rotated = ApiKey.objects.exclude(replaces="").values("replaces")
    return _live(now).filter(expires_at__lte=now + ENDING[-1][1]).exclude(public_id__in=rotated)


def _idle(now: datetime) -> QuerySet[ApiKey]:
    """Keys that are old enough to be called unused, and were not used for as long."""
    unused = Q(used_at=None) | Q(used_at__lte=now - UNUSED)
    return _live(now).filter(unused, created_at__lte=now - UNUSED)


@dataclass(frozen=True, slots=True)
class _Staff:
    """Those who may change keys, and all members by their number: a maker may be one of them."""

    keepers: list[User]
    members: dict[int, User]

    def of(self, key: ApiKey) -> list[User]:
        maker = self.members.get(key.made_by_id or 0)
        return [*self.keepers, maker] if maker else self.keepers


def _staff(organization: Organization) -> _Staff:
    rows = Membership.objects.filter(organization=organization).select_related("user")
    return _Staff(
        notices.holders(organization, "keys.change"), {row.user_id: row.user for row in rows}
    )


def _announce(organization: Organization, now: datetime) -> int:
    staff, told = _staff(organization), 0
    for key in _ending(now).select_related("organization", "project").order_by("expires_at"):
        assert key.expires_at is not None
        what = next(word for word, before in ENDING if key.expires_at <= now + before)
        if _first(key, what, key.expires_at, now):
            day = f"{key.expires_at.astimezone(SEOUL):%Y-%m-%d %H:%M}"
            _tell("key.expiring", key, staff, now, day=day)
            told += 1
    return told + _announce_unused(staff, now)


def _announce_unused(staff: _Staff, now: datetime) -> int:
    """A key that was used again is announced anew when it has lain idle once more."""
    told = 0
    for key in _idle(now).select_related("organization", "project").order_by("created_at"):
        if _first(key, "unused", key.used_at or key.created_at, now):
            _tell("key.unused", key, staff, now)
            told += 1
    return told


def _first(key: ApiKey, what: str, about: datetime, now: datetime) -> bool:
    """Whether nobody has announced it yet. The row stands or falls with the notices."""
    _row, made = KeyAnnouncement.objects.get_or_create(
        organization_id=key.organization_id, key=key, what=what, about=about, defaults={"at": now}
    )
    return made


def _tell(kind: str, key: ApiKey, staff: _Staff, now: datetime, **words: str) -> None:
    notices.tell(
        kind,
        organization=key.organization,
        to=staff.of(key),
        now=now,
        place=reverse("key", args=[key.public_id]),
        project=key.project.public_id,
        name=key.name,
        **words,
    )
