"""A week of the capacity calendar: which cards could be reserved on which day, and what is mine.

Only counts are told: whose the others are is nobody's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.catalog.models import Chip
from portal.deployments.claims import Claims, most_at
from portal.fleet.models import Site, UsableCards
from portal.lib.periods import Period, day_period, seoul_date
from tenants import rls

DAYS = 7


@dataclass(frozen=True, slots=True)
class Day:
    """``free``: cards that can be reserved for the whole day, or for what is left of it; ``None``
    of a day that is over. ``mine``: the most that is reserved for me at one moment of it."""

    day: date
    free: int | None
    mine: int


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of chip at one site."""

    site: Site
    chip: Chip
    cards: int
    days: tuple[Day, ...]


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def week(organization: int, first: date, *, now: datetime) -> list[Line]:
    """Seven days from ``first`` on, of every site that takes work, in the order of their codes."""
    sites = list(Site.objects.active().select_related("region").order_by("code"))
    chips, counts = _cards(sites)
    with rls.everyone(because="cards are shared by all tenants; only counts are read"):
        claims = Claims(min(now, day_period(first).start), organization)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    found = []
    for site in sites:
        for chip in chips:
            kind = (site.pk, chip.pk)
            if cards := counts.get(kind):
                told = (_day(claims, cards, kind, day, now) for day in days)
                found.append(Line(site, chip, cards, tuple(told)))
    return found


def _cards(sites: Iterable[Site]) -> tuple[list[Chip], dict[tuple[int, int], int]]:
    rows = UsableCards.objects.filter(site__in=list(sites), cards__gt=0).select_related("chip")
    counts = {(one.site_id, one.chip_id): one.cards for one in rows}
    chips = {one.chip_id: one.chip for one in rows}
    return sorted(chips.values(), key=lambda chip: (chip.order, chip.code)), counts


def _day(
    claims: Claims,
    cards: int,
    kind: tuple[int, int],
    day: date,
    now: datetime,
) -> Day:
    whole = day_period(day)
    mine = most_at(claims.slots_of(*kind), whole)
    if day < seoul_date(now):
        return Day(day, None, mine)
    rest = Period(max(whole.start, now), whole.end)
    return Day(day, max(0, claims.reservable(cards, *kind, rest)), mine)
