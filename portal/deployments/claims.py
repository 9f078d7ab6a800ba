"""Who may use how many cards of a site, now and later: what is promised, and what is reserved.

An organization's claim at a moment is the larger of what its replicas hold and what it has
reserved there: its own replicas use its own reservation. What runs now is taken to run on, since
an endpoint has no end; so a card that is reserved for tomorrow is free for nobody else today.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from portal.deployments.slots import Slot, at
from portal.lib.periods import Period

Kind = tuple[int, int]  # site and chip
FOREVER = timedelta(days=36_500)


class Running(NamedTuple):
    """Cards on which replicas run or are to run: of all organizations, and of the one who asks."""

    all: int
    own: int


class Claims:
    """Of all organizations at all sites, from one moment on, for one who asks: ``organization``.
    Needs sight of all tenants' rows.

    Of the others only sums are read, and each by itself where it has reserved: there are tens of
    thousands of replicas.
    """

    def __init__(self, now: datetime, organization: int | None) -> None:
        self.organization = organization
        self.ahead = Period(now, now + FOREVER)
        self._running: dict[Kind, Running] = defaultdict(lambda: Running(0, 0))
        self._reserving: dict[Kind, dict[int, int]] = defaultdict(dict)  # of who has reserved there
        self._held: dict[Kind, dict[int, list[Slot]]] = defaultdict(lambda: defaultdict(list))
        for site, chip, holder, number, own, start, end in _rows(now, organization):
            if holder is None:
                self._running[site, chip] = Running(number, own)
            elif start is None:
                self._reserving[site, chip][holder] = number
            else:
                self._held[site, chip][holder].append(Slot(number, Period(start, end)))

    def promised(self, site: int, chip: int) -> int:
        """Cards of what is wanted there now, of all."""
        return self._running[site, chip].all

    def free(self, cards: int, site: int, chip: int) -> int:
        """How many of ``cards`` it may use from now on, beyond what it runs."""
        kind = site, chip
        return cards - self._running[kind].own - self._others(kind, self.ahead)

    def reservable(self, cards: int, site: int, chip: int, period: Period) -> int:
        """How many of ``cards`` it may reserve for a period, beyond what it has reserved. What it
        runs there may be covered by it."""
        kind = site, chip
        return cards - most_at(self.slots_of(*kind), period) - self._others(kind, period)

    def _others(self, kind: Kind, period: Period) -> int:
        """The most that all others claim at one moment of a period. What they run is claimed all
        the time; what one has reserved, as far as it is more than that."""
        running = self._running[kind]
        held = self._held.get(kind)
        if held is None:
            return running.all - running.own
        runs = self._reserving[kind]
        others = [(runs.get(one, 0), held[one]) for one in held if one != self.organization]
        slots = [slot for _run, mine in others for slot in mine]
        more = max(
            sum(max(0, at(mine, moment) - run) for run, mine in others)
            for moment in _moments(period, slots)
        )
        return running.all - running.own + more

    def running(self, chip: int) -> int:
        """Cards of one kind on which its replicas run or are to run, at all sites."""
        return sum(one.own for (_site, kind), one in self._running.items() if kind == chip)

    def slots(self, site: int, chip: int) -> list[Slot]:
        """All that are reserved."""
        return [one for mine in self._held.get((site, chip), {}).values() for one in mine]

    def slots_of(self, site: int, chip: int) -> Sequence[Slot]:
        """Those of its own."""
        return self._held.get((site, chip), {}).get(self.organization or 0, ())

    def reserved(self, period: Period) -> int:
        """The most that it has reserved at one moment of a period, at all sites."""
        mine = [one for site, chip in self._held for one in self.slots_of(site, chip)]
        return most_at(mine, period)


def most_at(slots: Sequence[Slot], period: Period) -> int:
    """The most that are held at one moment of a period."""
    return max(at(slots, moment) for moment in _moments(period, slots))


def _moments(period: Period, slots: Iterable[Slot]) -> set[datetime]:
    """The start of a period, and of every slot within it: only there is more held."""
    starts = {one.period.start for one in slots}
    return {period.start, *(start for start in starts if start in period)}


# Three kinds of rows in one question, for the pages that ask for many things: what is wanted, out
# of the sums that the database keeps; what of it is of those who have reserved at the same place;
# what is reserved.
_ROWS = """
    SELECT site_id, chip_id, NULL::bigint, sum(run.cards)::int, sum(run.own)::int,
           NULL::timestamptz, NULL::timestamptz
    FROM (
        SELECT site_id, offering_id, cards, 0 AS own FROM deployments_promisedcards
        UNION ALL
        SELECT site_id, offering_id, 0, cards FROM deployments_placement
        WHERE organization_id = %(own)s AND wanted AND state <> 'stopped'
    ) AS run JOIN catalog_offering offering ON offering.id = offering_id
    GROUP BY site_id, chip_id
    UNION ALL
    SELECT run.site_id, held.chip_id, run.organization_id, sum(run.cards)::int, 0,
           NULL, NULL
    FROM (
        SELECT DISTINCT organization_id, site_id, chip_id FROM deployments_reservedcard
        WHERE ends_at > %(now)s
    ) AS held
    JOIN deployments_placement run USING (organization_id, site_id)
    JOIN catalog_offering offering ON offering.id = run.offering_id
        AND offering.chip_id = held.chip_id
    WHERE run.wanted AND run.state <> 'stopped'
    GROUP BY run.site_id, held.chip_id, run.organization_id
    UNION ALL
    SELECT site_id, chip_id, organization_id, number, 0, starts_at, ends_at
    FROM deployments_reservedcard WHERE ends_at > %(now)s
"""


def _rows(now: datetime, own: int | None) -> list[tuple[Any, ...]]:
    """(site, chip, –, cards, own cards, –, –), (site, chip, organization, cards, …) and (site,
    chip, organization, number of a card, –, from, to)."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"now": now, "own": own})
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
