"""Deputies for a leave: the role of one who is away, lent to another member for some days.

Lent is what the role can do, while it can do it, and nothing that the absent person was lent
(no chains). It ends by itself on ``ends_date``; a deputy hands nothing of it on.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import SEOUL
from tenants import audit, notices
from tenants.actions import members
from tenants.actors import Actor, NotAllowed
from tenants.models import Deputyship, Membership

LONGEST = timedelta(days=366)


class BadPeriod(Exception):
    def __str__(self) -> str:
        return _("The leave begins today or later, ends after it begins, and lasts at most a year.")


class OwnDeputy(Exception):
    def __str__(self) -> str:
        return _("Nobody stands in for themselves. Choose another member.")


class SeesOtherProjects(Exception):
    def __str__(self) -> str:
        return _("The deputy sees projects that the absent person does not. Choose somebody else.")


class AlreadyDeputy(Exception):
    def __str__(self) -> str:
        return _("This person stands in on some of these days already.")


def _may_lend(absent: Membership, by: Actor) -> None:
    """One's own role, or, with ``members.change``, a role that one might give."""
    if by.user is not None and absent.user_id == by.user.pk:
        return
    by.require("members.change")
    members.check_gives(absent.role, by)


def _within(deputy: Membership, absent: Membership) -> bool:
    """Whether the deputy sees no more projects than the absent person."""
    if absent.all_projects:
        return True
    return not deputy.all_projects and set(deputy.projects) <= set(absent.projects)


def concerning(actor: Actor) -> QuerySet[Deputyship]:
    """All of the organization for those who see its members, else one's own."""
    rows = Deputyship.objects.visible_to(actor).select_related("absent__user", "deputy__user")
    if actor.can("members.read"):
        return rows
    return rows.filter(Q(absent__user=actor.user) | Q(deputy__user=actor.user))


def find_member(text: str, *, by: Actor) -> Membership | None:
    """A member of the actor's organization by public id or by address, as people name them."""
    rows = Membership.objects.visible_to(by).select_related("user")
    return rows.filter(Q(public_id=text) | Q(user__email=text.strip().lower())).first()


@transaction.atomic
def name(
    *,
    absent: Membership,
    deputy: Membership,
    starts_date: date,
    ends_date: date,
    by: Actor,
    now: datetime,
) -> Deputyship:
    """Let ``deputy`` act for ``absent`` from ``starts_date`` until before ``ends_date``."""
    members.lock(by)
    rows = {one.pk: one for one in _both(by, absent, deputy)}
    if absent.pk not in rows or deputy.pk not in rows:
        raise members.MemberGone
    absent, deputy = rows[absent.pk], rows[deputy.pk]
    _may_lend(absent, by)
    _check(absent, deputy, starts_date, ends_date, now)
    made = Deputyship.objects.create(
        public_id=ids.mint("dep"),
        organization=by.organization,
        absent=absent,
        deputy=deputy,
        starts_date=starts_date,
        ends_date=ends_date,
        created_at=now,
        created_by=by.label,
    )
    changes = {
        "absent": absent.public_id,
        "deputy": deputy.public_id,
        "from": starts_date.isoformat(),
        "to": ends_date.isoformat(),
    }
    audit.record("deputy.name", by=by, now=now, subject=made.public_id, changes=changes)
    _tell("deputy.named", made, by, now)
    return made


def _both(by: Actor, *people: Membership) -> list[Membership]:
    rows = Membership.objects.visible_to(by).select_related("user")
    return list(rows.filter(pk__in=[one.pk for one in people]))


def _check(absent: Membership, deputy: Membership, starts: date, ends: date, now: datetime) -> None:
    today = now.astimezone(SEOUL).date()
    if absent.pk == deputy.pk:
        raise OwnDeputy
    if not today <= starts < ends or ends - starts > LONGEST or starts - today > LONGEST:
        raise BadPeriod
    if not _within(deputy, absent):
        raise SeesOtherProjects
    others = Deputyship.objects.filter(absent=absent, deputy=deputy, revoked_at=None)
    if others.filter(starts_date__lt=ends, ends_date__gt=starts).exists():
        raise AlreadyDeputy


@transaction.atomic
def revoke(*, deputyship: Deputyship, by: Actor, now: datetime) -> Deputyship:
    """End it now. The absent person, the deputy, and who may change members can. Repeating it
    changes nothing."""
    rows = Deputyship.objects.visible_to(by).select_related("absent__user", "deputy__user")
    found = rows.select_for_update(of=("self",)).get(pk=deputyship.pk)
    mine = by.user is not None and by.user.pk in {found.absent.user_id, found.deputy.user_id}
    if not mine:
        by.require("members.change")
        if "members.change" not in by.own_verbs:  # lent rights end no loans
            raise NotAllowed("members.change")
    if found.revoked_at is None:
        found.revoked_at = now
        found.save(update_fields=["revoked_at"])
        audit.record("deputy.revoke", by=by, now=now, subject=found.public_id)
        _tell("deputy.ended", found, by, now)
    return found


def _tell(kind: str, of: Deputyship, by: Actor, now: datetime) -> None:
    notices.tell(
        kind,
        organization=by.organization,
        to=[of.absent.user, of.deputy.user],
        now=now,
        place=reverse("deputies"),
        absent=of.absent.user.label,
        deputy=of.deputy.user.label,
        starts=of.starts_date.isoformat(),
        ends=of.ends_date.isoformat(),
    )
