"""What doors and workers ask about sites."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import F

from portal.catalog.models import Chip
from portal.fleet import health
from portal.fleet.drivers.contract import CardReport
from portal.fleet.models import Site, SiteMove

MOST_MOVES = 50  # of a site's history that a page shows
MOST_FIRST = 3  # of one turn


def due(now: datetime, *, lane: int = 0, lanes: int = 1, first: Collection[str] = ()) -> list[str]:
    """Codes of the sites that are to be asked, those first who have waited longest: where there
    are more sites than the workers get through, none is left out. Each has one of the lanes. A few
    of ``first`` go before and are asked more often: somebody waits for what happens there."""
    rows = Site.objects.asked().order_by(F("asked_at").asc(nulls_first=True), "pk")
    sites = list(rows.values_list("pk", "code", "asked_at", "trouble_since"))
    calm = health.calm_pause(len(sites))
    found = [
        code
        for pk, code, asked_at, failing_since in sites
        if pk % lanes == lane
        and health.is_due(
            now,
            asked_at=asked_at,
            failing_since=failing_since,
            pause=health.ASK_AGAIN if code in first else calm,
        )
    ]
    ahead = [code for code in found if code in first][:MOST_FIRST]
    return [*ahead, *(code for code in found if code not in ahead)]


def known_chips() -> frozenset[str]:
    """Codes of the catalogue."""
    return frozenset(Chip.objects.values_list("code", flat=True))


def unknown_cards(site: Site, known: frozenset[str]) -> list[CardReport]:
    """Cards of the last report whose chip nobody has entered: they are shown and cannot be used."""
    report = site.last_report()
    cards = report.cards if report else ()
    return [card for card in cards if card.chip not in known]


def history(site: Site) -> list[SiteMove]:
    """What happened to it, the latest first."""
    return list(site.moves.all()[:MOST_MOVES])
