"""The end of an account: asked for, undone within 14 days, or done by a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import SEOUL
from tenants import actors, audit, erasure, notices, rls
from tenants.actions import members
from tenants.models import AccountDeletion, ApiKey, Membership, Organization, User
from tenants.origins import NOWHERE, Origin
from tenants.roles import Role

GRACE = timedelta(days=14)


class LastOwnerOf(Exception):
    """The person alone owns organizations that somebody must own."""

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self.names = [one.name for one in organizations]
        super().__init__(", ".join(self.names))

    def __str__(self) -> str:
        return _(
            "You are the only owner of %(names)s. Make somebody else an owner there, or close "
            "the organization first."
        ) % {"names": ", ".join(self.names)}


@dataclass(frozen=True, slots=True)
class Ended:
    """What the end of an account ended with it: keys, by organization."""

    keys: list[tuple[Organization, list[ApiKey]]]


def pending(user: User) -> AccountDeletion | None:
    """The deletion that is asked for and neither undone nor done."""
    return AccountDeletion.objects.filter(user=user, undone_at=None, done_at=None).first()


def memberships_of(user: User) -> list[Membership]:
    """All memberships of a person, whatever tenant is set."""
    with rls.everyone(because="a person's own memberships"):
        rows = Membership.objects.filter(user=user).select_related("organization", "user")
        return list(rows.order_by("organization_id"))


def keys_of(user: User, now: datetime) -> list[ApiKey]:
    """Keys that would end with the account."""
    with rls.everyone(because="a person's own keys in all organizations"):
        rows = ApiKey.objects.filter(made_by=user, revoked_at=None)
        found = list(rows.select_related("organization", "project").order_by("pk"))
    return [key for key in found if key.state_at(now) == "live"]


def owned_alone(user: User) -> list[Organization]:
    """Organizations that are not closed and have no other owner."""
    with rls.everyone(because="an organization needs an owner"):
        mine = Membership.objects.filter(user=user, role=Role.OWNER).values("organization")
        others = Membership.objects.filter(role=Role.OWNER).exclude(user=user)
        return list(
            Organization.objects.filter(pk__in=mine, closed_at=None)
            .exclude(pk__in=others.values("organization"))
            .order_by("pk")
        )


def record(verb: str, *, user: User, now: datetime, origin: Origin, subject: str = "") -> None:
    """A deed about oneself concerns each organization that one is in."""
    with rls.everyone(because="a person's deed is kept in each of their organizations"):
        for one in memberships_of(user):
            by = replace(actors.of_membership(one), origin=origin)
            audit.record(verb, by=by, now=now, subject=subject or user.public_id)


@transaction.atomic
def ask_deletion(*, user: User, now: datetime, origin: Origin = NOWHERE) -> AccountDeletion:
    """End the account in 14 days. ``LastOwnerOf``. Asking again changes nothing.

    An organization that is about to close is no hindrance: the account ends after it.
    """
    User.objects.select_for_update().get(pk=user.pk)
    with rls.user(user.pk):
        if (found := pending(user)) is not None:
            return found
        if alone := [one for one in owned_alone(user) if one.closes_at is None]:
            raise LastOwnerOf(alone)
        made = AccountDeletion.objects.create(
            public_id=ids.mint("del"), user=user, asked_at=now, due_at=now + GRACE
        )
    record("account.deletion_ask", user=user, now=now, origin=origin)
    _tell(user, made, now)
    return made


def _tell(user: User, made: AccountDeletion, now: datetime) -> None:
    """The person; and those who manage members, that somebody goes and how many keys go too."""
    day = f"{made.due_at.astimezone(SEOUL):%Y-%m-%d}"
    notices.tell(
        "account.deletion_asked", organization=None, to=[user], now=now, place="/me/", day=day
    )
    with rls.everyone(because="each organization of the person is told"):
        count = Counter(key.organization_id for key in keys_of(user, now))
        for one in memberships_of(user):
            others = notices.holders(one.organization, "members.change")
            notices.tell(
                "member.leaving",
                organization=one.organization,
                to=[person for person in others if person.pk != user.pk],
                now=now,
                place="/members/",
                name=user.label,
                day=day,
                keys=str(count[one.organization_id]),
            )


@transaction.atomic
def undo_deletion(*, user: User, now: datetime, origin: Origin = NOWHERE) -> bool:
    """Keep the account. False if there was nothing to undo."""
    with rls.user(user.pk):
        changed = AccountDeletion.objects.filter(user=user, undone_at=None, done_at=None).update(
            undone_at=now
        )
    if changed:
        record("account.deletion_undo", user=user, now=now, origin=origin)
    return bool(changed)


def due(now: datetime) -> list[int]:
    """Deletions whose time has come."""
    with rls.everyone(because="sweep: accounts that end"):
        rows = AccountDeletion.objects.filter(undone_at=None, done_at=None, due_at__lte=now)
        order = (F("held_at").asc(nulls_first=True), "due_at")  # those that wait block nobody
        return list(rows.order_by(*order).values_list("pk", flat=True)[:100])


@transaction.atomic
def end(deletion: int, *, now: datetime) -> Ended | None:
    """Erase the person. ``None`` if it was undone, done, or must wait for another owner.

    The organizations are locked as a change of members locks them, so that the other owner cannot
    leave in the same moment.
    """
    with rls.everyone(because="the end of an account touches all organizations of the person"):
        row = (
            AccountDeletion.objects.select_for_update(skip_locked=True)
            .filter(pk=deletion, undone_at=None, done_at=None, due_at__lte=now)
            .first()
        )
        if row is None:
            return None
        user = User.objects.select_for_update().get(pk=row.user_id)
        _lock(one.organization_id for one in memberships_of(user))
        if alone := owned_alone(user):
            _hold(row, alone, now)
            return None
        ended = Ended(_leave(user, now))
        erasure.erase(user, now=now)
        row.done_at = now
        row.save(update_fields=["done_at"])
    return ended


def _lock(organizations: Iterable[int]) -> None:
    rows = Organization.objects.filter(pk__in=list(organizations)).order_by("pk")
    list(rows.select_for_update())


def _hold(row: AccountDeletion, alone: list[Organization], now: datetime) -> None:
    """It waits for another owner, or for the organization's own end; the person is told once."""
    if AccountDeletion.objects.filter(pk=row.pk, held_at=None).update(held_at=now):
        notices.tell(
            "account.deletion_held",
            organization=None,
            to=[row.user],
            now=now,
            place="/me/",
            name=", ".join(one.name for one in alone),
        )


def _leave(user: User, now: datetime) -> list[tuple[Organization, list[ApiKey]]]:
    """End every membership; the keys that ended with it, by organization."""
    ended = []
    for one in memberships_of(user):
        by = actors.system(one.organization, "Account deletion")
        keys = members.end_with_account(membership=one, by=by, now=now)
        ended.append((one.organization, keys))
    return ended
