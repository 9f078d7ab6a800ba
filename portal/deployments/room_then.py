"""Where cards of a site had failed: how many of them an organization could have had, by what its
reports told and what the others claimed. Needs sight of all tenants' rows."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Q

from portal.deployments.models import Placement, PlacementState, Reservation, ReservedCard
from portal.deployments.slots import Slot
from portal.deployments.unused import Room, Used, rooms, whole_seconds
from portal.fleet import working
from portal.lib.periods import Period


def rooms_of(one: Reservation, period: Period) -> list[Room]:
    """Nothing where as many cards work as when it was ordered: then the others are not asked."""
    since = Period(min(one.placed_at, period.start), period.end)
    worked = [
        Used(step.period, step.cards) for step in working.within(one.site, one.chip_id, since)
    ]
    if len({step.cards for step in worked}) == 1:
        return []
    return rooms(worked, _runs(one, period), _reserved(one, period), period)


def _runs(one: Reservation, period: Period) -> dict[int, list[Used]]:
    """Replicas of others, each from when it was asked for until it had stopped: it has its cards,
    or waits for some."""
    rows = Placement.objects.filter(
        site=one.site_id, offering__chip=one.chip_id, created_at__lt=period.end, cards__gt=0
    ).exclude(organization=one.organization_id)
    rows = rows.exclude(Q(state=PlacementState.STOPPED, state_since__lte=period.start))
    found: dict[int, list[Used]] = defaultdict(list)
    for holder, cards, state, start, since in rows.values_list(
        "organization", "cards", "state", "created_at", "state_since"
    ):
        end = since if state == PlacementState.STOPPED else period.end
        if start < end:
            found[holder].append(Used(whole_seconds(Period(start, end)), cards))
    return found


def _reserved(one: Reservation, period: Period) -> dict[int, list[Slot]]:
    rows = ReservedCard.objects.filter(
        site=one.site_id,
        chip=one.chip_id,
        starts_at__lt=period.end,
        ends_at__gt=period.start,
    ).exclude(organization=one.organization_id)
    found: dict[int, list[Slot]] = defaultdict(list)
    for row in rows:
        found[row.organization_id].append(row.slot)
    return found
