"""Who may use how many cards of a site, now and later: what is promised, and what is reserved.

An organization's claim at a moment is the larger of what its replicas hold and what it has
reserved there: its own replicas use its own reservation. What runs now is taken to run on, since
an endpoint has no end; so a card that is reserved for tomorrow is free for nobody else today.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, QuerySet, Sum, Value

from portal.deployments.models import Placement, ReservedCard
from portal.deployments.slots import Slot, at
from portal.lib.periods import Period

Kind = tuple[int, int]  # site and chip
FOREVER = timedelta(days=36_500)


class Claims:
    """Of all organizations at all sites, from one moment on. Needs sight of all tenants' rows."""

    def __init__(self, now: datetime) -> None:
        self.ahead = Period(now, now + FOREVER)
        self._running: dict[Kind, dict[int, int]] = defaultdict(dict)
        self._held: dict[Kind, dict[int, list[Slot]]] = defaultdict(lambda: defaultdict(list))
        for site, chip, organization, number, start, end in _rows(now):
            if start is None:
                self._running[site, chip][organization] = number
            else:
                slot = Slot(number, Period(start, end))
                self._held[site, chip][organization].append(slot)

    def promised(self, site: int, chip: int) -> int:
        """Cards of what is wanted there now, of all."""
        return sum(self._running.get((site, chip), {}).values())

    def free(self, cards: int, site: int, chip: int, organization: int | None) -> int:
        """How many of ``cards`` the organization may use from now on, beyond what it runs."""
        own = self._running.get((site, chip), {}).get(organization or 0, 0)
        return cards - own - self._others(site, chip, organization, self.ahead)

    def reservable(
        self, cards: int, site: int, chip: int, organization: int, period: Period
    ) -> int:
        """How many of ``cards`` it may reserve for a period, beyond what it has reserved. What it
        runs there may be covered by it."""
        held = self._held.get((site, chip), {})
        own = most_at(held.get(organization, ()), period)
        return cards - own - self._others(site, chip, organization, period)

    def _others(self, site: int, chip: int, organization: int | None, period: Period) -> int:
        """The most that all others claim at one moment of a period."""
        held = self._held.get((site, chip), {})
        running = self._running.get((site, chip), {})
        names = (set(held) | set(running)) - {organization}
        slots = [one for name in names for one in held.get(name, ())]
        return max(
            sum(max(running.get(name, 0), at(held.get(name, ()), moment)) for name in names)
            for moment in _moments(period, slots)
        )

    def running(self, chip: int, organization: int) -> int:
        """Cards of one kind on which its replicas run or are to run, at all sites."""
        found = (mine for (_site, kind), mine in self._running.items() if kind == chip)
        return sum(mine.get(organization, 0) for mine in found)

    def slots(self, site: int, chip: int) -> list[Slot]:
        """All that are reserved."""
        return [one for mine in self._held.get((site, chip), {}).values() for one in mine]

    def slots_of(self, site: int, chip: int, organization: int) -> Sequence[Slot]:
        """Those of one organization."""
        return self._held.get((site, chip), {}).get(organization, ())

    def reserved(self, organization: int, period: Period) -> int:
        """The most that one organization has reserved at one moment of a period, at all sites."""
        mine = [one for held in self._held.values() for one in held.get(organization, ())]
        return most_at(mine, period)


def most_at(slots: Sequence[Slot], period: Period) -> int:
    """The most that are held at one moment of a period."""
    return max(at(slots, moment) for moment in _moments(period, slots))


def _moments(period: Period, slots: Iterable[Slot]) -> set[datetime]:
    """The start of a period, and of every slot within it: only there is more held."""
    starts = {one.period.start for one in slots}
    return {period.start, *(start for start in starts if start in period)}


def _rows(now: datetime) -> QuerySet[Any, Any]:
    """(site, chip, organization, cards, –, –) of what is wanted, and (site, chip, organization,
    number, from, to) of what is reserved; one question, for the pages that ask for many things."""
    no_time = Value(None, output_field=DateTimeField())
    running = (
        Placement.objects.living()
        .filter(wanted=True)
        .order_by()
        .values_list("site", "offering__chip", "organization")
        .annotate(count=Sum("cards"), start=no_time, end=no_time)
    )
    held = ReservedCard.objects.filter(ends_at__gt=now).order_by()
    columns = ("site", "chip", "organization", "number", "starts_at", "ends_at")
    return running.union(held.values_list(*columns), all=True).order_by()
