"""API keys: made, shown once, changed, rotated with an overlap, revoked.

A key is never wider than its maker (its scopes are verbs that the maker has) nor than its
project: the publisher takes what project and key allow both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import SEOUL
from tenants import addresses, audit, names, notices, quotas, scopes
from tenants.actors import Actor
from tenants.models import ApiKey, KeyMode, Organization, Project
from tenants.scopes import Scope

LONGEST_OVERLAP = timedelta(days=30)
MOST_REQUESTS = 100_000  # a minute
MOST_TOKENS = 100_000_000  # a minute; 0 is no such limit, and what a key begins with


class ProjectArchived(Exception):
    def __str__(self) -> str:
        return _("This project is archived. Choose another one.")


class TooManyKeys(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _(
            "The organization may have %(most)d live keys. Revoke those that are not used."
        ) % {"most": self.most}


class TooManyTestKeys(TooManyKeys):
    """They cost nothing, so there are few of them."""

    def __str__(self) -> str:
        return _("The organization may have %(most)d test keys. Revoke one of them first.") % {
            "most": self.most
        }


class ExpiryPassed(Exception):
    def __str__(self) -> str:
        return _("The expiry lies in the past. Choose a later day, or none.")


class WiderThanMaker(Exception):
    """Scopes that say more than the maker may do."""

    def __init__(self, beyond: Sequence[str]) -> None:
        super().__init__(", ".join(beyond))
        self.beyond = beyond

    def __str__(self) -> str:
        words = ", ".join(str(Scope(scope).label) for scope in self.beyond)
        return _("A key cannot do more than you may: leave out “%(scopes)s”.") % {"scopes": words}


class NoScope(Exception):
    def __str__(self) -> str:
        return _("Choose at least one thing that the key may do.")


class KeyEnded(Exception):
    def __str__(self) -> str:
        return _("This key is revoked or expired. Make a new one.")


class BadOverlap(Exception):
    def __str__(self) -> str:
        return _("The old key may go on for at most 30 days.")


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a key may do. Empty tuples allow all that the project allows."""

    name: str
    mode: str = KeyMode.LIVE
    scopes: Sequence[str] = (Scope.INFERENCE,)
    allowed_models: Sequence[str] = ()
    allowed_sites: Sequence[str] = ()
    allowed_addresses: Sequence[str] = ()
    rpm_limit: int = 60
    tpm_limit: int = 0
    concurrency_limit: int = 16
    expires_at: datetime | None = None


def _checked(wish: KeyWish, *, by: Actor, now: datetime) -> KeyWish:
    """The wish in normal form, or the reason why it cannot be had."""
    if wish.expires_at is not None and wish.expires_at <= now:
        raise ExpiryPassed
    wanted = [scope for scope in Scope.values if scope in wish.scopes]
    if not wanted:
        raise NoScope
    if beyond := scopes.beyond(wanted, by.own_verbs):
        raise WiderThanMaker(beyond)
    return replace(
        wish,
        name=names.normalized(wish.name, longest=60),
        scopes=wanted,
        allowed_addresses=addresses.normalized(wish.allowed_addresses),
    )


def _limits(wish: KeyWish) -> dict[str, Any]:
    return {
        "name": wish.name,
        "scopes": list(wish.scopes),
        "allowed_models": list(wish.allowed_models),
        "allowed_sites": list(wish.allowed_sites),
        "allowed_addresses": list(wish.allowed_addresses),
        "rpm_limit": wish.rpm_limit,
        "tpm_limit": wish.tpm_limit,
        "concurrency_limit": wish.concurrency_limit,
        "expires_at": wish.expires_at,
    }


@transaction.atomic
def create(*, project: Project, wish: KeyWish, by: Actor, now: datetime) -> tuple[ApiKey, str]:
    """The key's row and its secret, which nobody can read again. ``BadName``, ``BadRange``, and
    the exceptions of this module."""
    by.require("keys.change")
    wish = _checked(wish, by=by, now=now)
    key, secret = _mint(project=project, wish=wish, by=by, now=now)
    audit.record(
        "key.create",
        by=by,
        now=now,
        subject=key.public_id,
        changes={"project": project.public_id, "mode": wish.mode, **_told(_limits(wish))},
    )
    _tell("key.created", key, by=by, now=now, project_name=project.name)
    return key, secret


def _tell(kind: str, key: ApiKey, *, by: Actor, now: datetime, **words: str) -> None:
    """To all who may change keys, the one who did it too: it may have been somebody else."""
    notices.tell(
        kind,
        organization=by.organization,
        to=notices.holders(by.organization, "keys.change"),
        now=now,
        place=reverse("key", args=[key.public_id]),
        project=key.project.public_id,
        by=by.label,
        name=key.name,
        **words,
    )


def _mint(
    *, project: Project, wish: KeyWish, by: Actor, now: datetime, replaces: str = ""
) -> tuple[ApiKey, str]:
    if project.archived_at is not None:
        raise ProjectArchived
    _require_room(wish.mode, by)
    secret = ids.mint_api_key(by.organization.code, test=wish.mode == KeyMode.TEST)
    key = ApiKey.objects.create(
        public_id=ids.mint("key"),
        organization=by.organization,
        project=project,
        mode=wish.mode,
        public_part=ids.public_part(secret),
        sha256=ids.hash_api_key(secret),
        created_by=by.label,
        made_by=by.user,
        created_at=now,
        replaces=replaces,
        **_limits(wish),
    )
    return key, secret


def _require_room(mode: str, by: Actor) -> None:
    """``TooManyKeys``. The organization is locked: many at once get no more than one by one."""
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    most = quotas.most(by.organization, "live_keys")
    if _live(by).count() >= most:
        raise TooManyKeys(most)
    if mode == KeyMode.TEST:
        most = quotas.most(by.organization, "test_keys")
        if _live(by).filter(mode=KeyMode.TEST).count() >= most:
            raise TooManyTestKeys(most)


def _live(by: Actor) -> QuerySet[ApiKey]:
    """The organization's keys that count, also those of projects that the actor cannot see."""
    return ApiKey.objects.filter(organization=by.organization, revoked_at=None)


def _told(limits: dict[str, Any]) -> dict[str, Any]:
    """Limits as the audit log keeps them: whole, and as text where JSON has no type."""
    expiry = limits["expires_at"]
    return limits | {"expires_at": expiry.isoformat() if expiry else None}


def wish_of(key: ApiKey) -> KeyWish:
    """What a key may do now, to be changed in part."""
    return KeyWish(
        name=key.name,
        mode=key.mode,
        scopes=key.scopes,
        allowed_models=key.allowed_models,
        allowed_sites=key.allowed_sites,
        allowed_addresses=key.allowed_addresses,
        rpm_limit=key.rpm_limit,
        tpm_limit=key.tpm_limit,
        concurrency_limit=key.concurrency_limit,
        expires_at=key.expires_at,
    )


def _locked(key: ApiKey, by: Actor) -> ApiKey:
    rows = ApiKey.objects.visible_to(by).select_related("project")
    return rows.select_for_update(of=("self",)).get(pk=key.pk)


@transaction.atomic
def change(*, key: ApiKey, wish: KeyWish, by: Actor, now: datetime) -> ApiKey:
    """Other limits for a live key. Its mode and project stay: they are in what it was made for."""
    by.require("keys.change")
    wish = _checked(wish, by=by, now=now)
    key = _locked(key, by)
    if key.state_at(now) != "live":
        raise KeyEnded
    before, after = _told(_limits(wish_of(key))), _told(_limits(wish))
    changes = {
        name: {"from": before[name], "to": after[name]}
        for name in after
        if before[name] != after[name]
    }
    if changes:
        ApiKey.objects.filter(pk=key.pk).update(made_by=by.user, **_limits(wish))
        audit.record("key.change", by=by, now=now, subject=key.public_id, changes=changes)
    return _locked(key, by)


@transaction.atomic
def rotate(*, key: ApiKey, overlap: timedelta, by: Actor, now: datetime) -> tuple[ApiKey, str]:
    """A new key that may do the same; the old one ends after ``overlap``, or earlier if it was
    going to. Zero ends it at once."""
    by.require("keys.change")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise BadOverlap
    key = _locked(key, by)
    if key.state_at(now) != "live":
        raise KeyEnded
    # What it was rotated with may be less than it had: the one who rotates answers for it.
    wish = replace(wish_of(key), expires_at=None)
    made, secret = _mint(
        project=key.project,
        wish=_checked(wish, by=by, now=now),
        by=by,
        now=now,
        replaces=key.public_id,
    )
    ends = min(now + overlap, key.expires_at or now + overlap)
    ended: dict[str, Any] = {"expires_at": ends} if overlap else {"revoked_at": now}
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(**ended)
    audit.record(
        "key.rotate",
        by=by,
        now=now,
        subject=key.public_id,
        changes={"new": made.public_id, "old_ends_at": ends.isoformat()},
    )
    day = f"{(ends if overlap else now).astimezone(SEOUL):%Y-%m-%d %H:%M}"
    _tell("key.rotated", made, by=by, now=now, day=day)
    return made, secret


@transaction.atomic
def revoke(*, key: ApiKey, by: Actor, now: datetime) -> ApiKey:
    """End a key. Repeating it changes nothing. ``portal.routing.revoking`` tells the gateway."""
    by.require("keys.change")
    key = _locked(key, by)
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        audit.record("key.revoke", by=by, now=now, subject=key.public_id)
        _tell("key.revoked", key, by=by, now=now)
    return key
