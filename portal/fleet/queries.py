"""What doors and workers ask about sites."""

from __future__ import annotations

from portal.catalog.models import Chip
from portal.fleet.drivers.contract import CardReport
from portal.fleet.models import Site, SiteMove

MOST_MOVES = 50  # of a site's history that a page shows


def unknown_cards(site: Site) -> list[CardReport]:
    """Cards of the last report whose chip nobody has entered: they are shown and cannot be used."""
    report = site.last_report()
    if report is None or not report.cards:
        return []
    known = set(Chip.objects.values_list("code", flat=True))
    return [card for card in report.cards if card.chip not in known]


def history(site: Site) -> list[SiteMove]:
    """What happened to it, the latest first."""
    return list(site.moves.all()[:MOST_MOVES])
