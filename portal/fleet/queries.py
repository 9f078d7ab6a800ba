"""What doors and workers ask about sites."""

from __future__ import annotations

from portal.catalog.models import Chip
from portal.fleet.drivers.contract import CardReport
from portal.fleet.models import Site, SiteMove

MOST_MOVES = 50  # of a site's history that a page shows


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
