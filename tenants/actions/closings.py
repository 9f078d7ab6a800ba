"""Closing an organization: asked for by an owner, undone until its day, carried out from above.

``portal.routing.endings`` finds organizations whose day has come, stops what runs, issues the
final invoice and calls ``done``.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.periods import SEOUL
from tenants import actors, audit, names, notices, rls
from tenants.actors import Actor, NotAllowed
from tenants.models import Membership, Organization, User

FEWEST_DAYS, USUAL_DAYS, MOST_DAYS = 1, 7, 90
RETAINED_YEARS = 5  # books and invoices: 국세기본법 제85조의3, five years


class NameDiffers(Exception):
    def __str__(self) -> str:
        return _("This is not the name of the organization. Type it as it stands above.")


class BadDays(Exception):
    def __str__(self) -> str:
        return _("Choose 1 to 90 days.")


class NeverCloses(Exception):
    def __str__(self) -> str:
        return _("The operator's own organization cannot be closed here.")


class ClosingBegan(Exception):
    def __str__(self) -> str:
        return _("The closing has begun. It cannot be undone any more; write to us.")


def kept_until(organization: Organization) -> date | None:
    """The last day on which members read: five years after the year in which it closes."""
    closes = organization.closed_at or organization.closes_at
    return closes and date(closes.astimezone(SEOUL).year + RETAINED_YEARS, 12, 31)


def _require(by: Actor) -> None:
    """An owner's own deed; who stands in for an owner may not close the house meanwhile."""
    by.require("organization.close")
    if "organization.close" not in by.own_verbs:
        raise NotAllowed("organization.close")


def _locked(by: Actor) -> Organization:
    return Organization.objects.select_for_update().get(pk=by.organization.pk)


@transaction.atomic
def ask(*, typed_name: str, days: int, by: Actor, now: datetime) -> Organization:
    """Close the actor's organization in ``days``. Asking again changes nothing."""
    _require(by)
    organization = _locked(by)
    if organization.is_operator:
        raise NeverCloses
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise BadDays
    if not _same(typed_name, organization.name):
        raise NameDiffers
    if organization.closes_at is None:
        organization.closes_at = now + timedelta(days=days)
        organization.save(update_fields=["closes_at"])
        changes = {"closes_at": organization.closes_at.isoformat()}
        _told("organization.closing", organization, by, now, changes)
    return organization


def _same(typed: str, name: str) -> bool:
    try:
        return names.normalized(typed, longest=200) == names.normalized(name, longest=200)
    except names.BadName:
        return False


@transaction.atomic
def undo(*, by: Actor, now: datetime) -> Organization:
    """Take the closing back. ``ClosingBegan`` from its day on. Nothing to undo: nothing happens."""
    _require(by)
    organization = _locked(by)
    if organization.closed_at is not None or (
        organization.closes_at is not None and organization.closes_at <= now
    ):
        raise ClosingBegan
    if organization.closes_at is not None:
        organization.closes_at = None
        organization.save(update_fields=["closes_at"])
        _told("organization.closing_undone", organization, by, now, {})
    return organization


def _told(
    verb: str, organization: Organization, by: Actor, now: datetime, changes: dict[str, str]
) -> None:
    audit.record(verb, by=by, now=now, subject=organization.public_id, changes=changes)
    day = organization.closes_at
    notices.tell(
        verb,
        organization=organization,
        to=_members(organization),
        now=now,
        place="/organization/close/",
        by=by.label,
        name=organization.name,
        day=f"{day.astimezone(SEOUL):%Y-%m-%d}" if day else "",
    )


def _members(organization: Organization) -> list[User]:
    rows = Membership.objects.filter(organization=organization).select_related("user")
    return [one.user for one in rows]


def due(now: datetime) -> list[Organization]:
    """Organizations whose day has come and that are not closed yet."""
    with rls.everyone(because="sweep: organizations that close"):
        rows = Organization.objects.filter(closes_at__lte=now, closed_at=None)
        return list(rows.order_by("closes_at")[:50])


@transaction.atomic
def done(*, by: Actor, now: datetime, invoice: str) -> None:
    """Nothing runs any more and the final invoice is issued. Repeating it changes nothing."""
    organization = _locked(by)
    if organization.closed_at is not None:
        return
    organization.closed_at = now
    organization.save(update_fields=["closed_at"])
    until = kept_until(organization)
    audit.record(
        "organization.closed",
        by=by,
        now=now,
        subject=organization.public_id,
        changes={"final_invoice": invoice, "kept_until": f"{until}"},
    )
    notices.tell(
        "organization.closed",
        organization=organization,
        to=_members(organization),
        now=now,
        place="/organization/close/",
        name=organization.name,
        day=f"{until}",
    )


def end_retention(now: datetime) -> int:
    """End the memberships of organizations that are kept no longer; how many."""
    with rls.everyone(because="sweep: organizations that are kept no longer"):
        ended = 0
        for one in Organization.objects.filter(closed_at__lt=now - timedelta(days=365 * 5)):
            until = kept_until(one)
            if until is not None and until < now.astimezone(SEOUL).date():
                ended += _end_access(one, now)
    return ended


def _end_access(organization: Organization, now: datetime) -> int:
    members = _members(organization)
    Membership.objects.filter(organization=organization).delete()
    by = actors.system(organization, "Closing")
    for one in members:
        audit.record("member.remove", by=by, now=now, subject=one.public_id)
    return len(members)
