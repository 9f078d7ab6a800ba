"""Keys of a person who goes: each is revoked, or another member answers for it from then on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from tenants import audit, scopes
from tenants.actors import Actor
from tenants.models import ApiKey, Membership, User

REVOKE = "revoke"


class KeysUndecided(Exception):
    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count

    def __str__(self) -> str:
        return _(
            "The person answers for %(count)d live keys. Say for each whether it is revoked or "
            "who answers for it from now on."
        ) % {"count": self.count}


class NotTheirs(Exception):
    """The heir may not have the key."""

    def __init__(self, key: ApiKey, heir: str) -> None:
        super().__init__(key.name, heir)
        self.key, self.heir = key, heir

    def __str__(self) -> str:
        return _("“%(heir)s” may not have the key “%(key)s”. Choose somebody else.") % {
            "heir": self.heir,
            "key": self.key.name,
        }


@dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of keys: ``revoke``, or the public id of the member who takes them over.

    ``each`` is by the key's public id, ``rest`` for those that it does not name.
    """

    rest: str = ""
    each: Mapping[str, str] = field(default_factory=dict)

    def of(self, key: ApiKey) -> str:
        return self.each.get(key.public_id) or self.rest


def keys_of(user: User, organization_id: int, now: datetime) -> QuerySet[ApiKey]:
    """The live keys that a person answers for in one organization."""
    return (
        ApiKey.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=now),
            organization=organization_id,
            made_by=user,
            revoked_at=None,
        )
        .select_related("project")
        .order_by("name", "pk")
    )


def may_have(key: ApiKey, heir: Membership) -> bool:
    """Whether a member may make such a key in such a project."""
    verbs = heir.organization.verbs_of(heir.role)
    return (
        "keys.change" in verbs
        and not scopes.beyond([one for one in key.scopes if one in scopes.VERBS], verbs)
        and (heir.all_projects or key.project.public_id in heir.projects)
    )


def settle(*, user: User, fates: Fates, by: Actor, now: datetime) -> list[ApiKey]:
    """Do what was chosen; the revoked keys, which the gateway has to be told. ``KeysUndecided``
    if one has no fate, ``NotTheirs`` if the chosen member may not have it."""
    found = list(
        keys_of(user, by.organization.pk, now).select_for_update(of=("self",)).order_by("pk")
    )
    if undecided := [key for key in found if not fates.of(key)]:
        raise KeysUndecided(len(undecided))
    heirs = {one.public_id: one for one in _heirs(by, user)}
    revoked = []
    for key in found:
        fate = fates.of(key)
        if fate == REVOKE:
            key.revoked_at = now
            revoked.append(key)
            audit.record("key.revoke", by=by, now=now, subject=key.public_id)
        else:
            _hand_over(key, heirs.get(fate), by, now)
        key.save(update_fields=["revoked_at", "made_by"])
    return revoked


def _hand_over(key: ApiKey, heir: Membership | None, by: Actor, now: datetime) -> None:
    if heir is None or not may_have(key, heir):
        raise NotTheirs(key, heir.user.label if heir else "?")
    key.made_by = heir.user
    changes = {"to": heir.public_id}
    audit.record("key.hand_over", by=by, now=now, subject=key.public_id, changes=changes)


def _heirs(by: Actor, user: User) -> QuerySet[Membership]:
    rows = Membership.objects.visible_to(by).select_related("user", "organization")
    return rows.exclude(user=user).order_by("joined_at", "pk")


def heirs(*, user: User, by: Actor) -> list[Membership]:
    """Members who may answer for keys at all: what a form offers."""
    return [one for one in _heirs(by, user) if "keys.change" in one.organization.verbs_of(one.role)]
