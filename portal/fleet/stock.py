"""What placement asks of the sites, in one question: how each is, and which of its cards work.

Rows of sites are wide and cards are many: nothing else of them is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from portal.fleet import health


class Stock(NamedTuple):
    """Cards of one chip at one site. A site whose cards do not work, or that has none, has one
    without a chip. ``pk``: the site's."""

    pk: int
    site: str
    region: str
    place: tuple[float, float] | None
    driver: str
    simulated: bool
    data_classes: tuple[str, ...]
    state: str  # as of ``Site.state_at``
    ailing: bool  # it serves, and something is wrong there
    watts_free: int | None  # by the last report; ``None`` without a bound or a report
    chip_id: int
    chip: str
    chip_watts: int
    cards: int
    free_by_node: tuple[int, ...]  # of machines that have any, else 0; empty if not told


_STOCK = """
    SELECT site.id, site.code, region.code, region.latitude, region.longitude, site.driver,
      site.simulated, site.data_classes::text, site.condition, site.health, site.observed_at,
      site.trouble_since,
      site.power_budget_watts - round(site.watts_drawn)::int,
      chip.id, chip.code, chip.tdp_watts, usable.cards, usable.free_by_node
    FROM fleet_site site JOIN catalog_region region ON region.id = site.region_id
    LEFT JOIN (fleet_usablecards usable JOIN catalog_chip chip ON chip.id = usable.chip_id)
      ON usable.site_id = site.id AND usable.cards > 0
    WHERE {which} ORDER BY site.id, chip.id
"""
_ASKED = _STOCK.format(which="site.condition <> 'retired'")
_GIVEN = _STOCK.format(which="site.id = ANY(%s::bigint[])")
_NONE: tuple[Any, ...] = (0, "", 0, 0, ())  # of a chip, where there is none
_CLASSES = msgspec.json.Decoder(tuple[str, ...])


def at_all(now: datetime) -> list[Stock]:
    """Of every site that is asked."""
    return _found(now, _ASKED, [])


def at(sites: Iterable[int], now: datetime) -> list[Stock]:
    """Of some sites."""
    return _found(now, _GIVEN, [array(sites)])


def array(numbers: Iterable[int]) -> str:
    """As PostgreSQL writes one: the driver takes longer to adapt hundreds, each by itself, than the
    question takes."""
    return "{" + ",".join(map(str, numbers)) + "}"


def _found(now: datetime, question: str, given: list[str]) -> list[Stock]:
    with connection.cursor() as cursor:
        cursor.execute(question, given)
        return [_stock(now, *row) for row in cursor.fetchall()]


def _stock(now: datetime, *row: Any) -> Stock:
    pk, site, region, latitude, longitude, driver, simulated, classes = row[:8]
    condition, judged, observed_at, failing_since, watts_free, *chip, free = row[8:]
    place = None if latitude is None or longitude is None else (latitude, longitude)
    seen = health.at(judged, observed_at, failing_since, now)
    there = (
        *(pk, site, region, place, driver, simulated, _CLASSES.decode(classes)),
        *(health.for_work(condition, seen), seen == "degraded", watts_free),
    )
    return Stock._make((*there, *_NONE) if free is None else (*there, *chip, tuple(free)))
