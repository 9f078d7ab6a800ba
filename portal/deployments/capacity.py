"""How much room each site has for one model: reported cards minus what is already promised."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import Sum

from portal.catalog.models import CatalogModel, Chip, Offering
from portal.deployments.models import Placement
from portal.deployments.placement import SiteRoom
from portal.fleet import site_offerings
from portal.fleet.models import Card, Health, Site


class Room:
    """All cards of some sites at one moment, for many models to be asked about.

    Make it with the sites locked when the answer decides an order. Needs sight of all tenants'
    placements, since cards are shared by all. ``prices``: chip → micro-won a card and hour, for
    the one who asks.
    """

    def __init__(self, sites: list[Site], *, prices: Mapping[str, int], now: datetime) -> None:
        self.sites = sites
        self.now = now
        self.prices = prices
        self.promised = promised_cards()
        self.standing = site_offerings.Standings(sites)
        self.cards: dict[tuple[int, int], list[Card]] = defaultdict(list)
        self.chips: dict[int, Chip] = {}
        rows = Card.objects.filter(site__in=sites).exclude(state__in=["failed", "gone"])
        for card in rows.select_related("chip"):
            self.cards[card.site_id, card.chip_id].append(card)
            self.chips[card.chip_id] = card.chip

    def of(self, models: Iterable[CatalogModel]) -> dict[str, list[SiteRoom]]:
        """Model → a room for each kind of chip at each site; a site without cards has one too."""
        offerings: dict[int, dict[int, list[Offering]]] = defaultdict(lambda: defaultdict(list))
        asked = list(models)
        rows = Offering.objects.filter(version__model__in=asked, version__current=True)
        for offering in rows.select_related("version").order_by("pk"):
            offerings[offering.version.model_id][offering.chip_id].append(offering)
        return {model.slug: self._rooms(offerings[model.pk]) for model in asked}

    def for_offering(self, offering: Offering) -> list[SiteRoom]:
        """A room at each site that has the offering's chip, whether or not another offering would
        be taken there."""
        return [
            self._room(site, offering.chip, offering)
            for site in self.sites
            if (site.pk, offering.chip_id) in self.cards
        ]

    def _rooms(self, offerings: dict[int, list[Offering]]) -> list[SiteRoom]:
        found = []
        for site in self.sites:
            kinds = [chip for chip in self.chips.values() if (site.pk, chip.pk) in self.cards]
            for chip in kinds:
                offering = self.standing.best(offerings.get(chip.pk, []), site)
                found.append(self._room(site, chip, offering))
            if not kinds:
                found.append(self._room(site, None, None))
        return found

    def _room(self, site: Site, chip: Chip | None, offering: Offering | None) -> SiteRoom:
        cards = self.cards[site.pk, chip.pk] if chip else []
        promised = self.promised[site.code, chip.code] if chip else 0
        stands = self.standing.of(offering, site) if offering else ""
        return SiteRoom(
            site=site.code,
            region=site.region.code,
            chip=chip.code if chip else "",
            state=site.state_at(self.now),
            cards=len(cards),
            cards_free=max(0, len(cards) - promised),
            offering=offering.pk if offering else None,
            cards_per_replica=offering.cards if offering else 0,
            data_classes=tuple(site.data_classes),
            proven=stands == "proven",
            reverify=stands == "reverify",
            nodes=_free_by_node(cards),
            watts_per_card=chip.tdp_watts if chip else 0,
            watts_free=_watts_free(site),
            price_micro=self.prices.get(chip.code) if chip else None,
            place=site.region.place,
            ailing=site.health_at(self.now) == Health.DEGRADED,
        )


def promised_cards() -> Counter[tuple[str, str]]:
    """Cards of every living placement, by site and chip."""
    rows = (
        Placement.objects.living()
        .filter(wanted=True)
        .values_list("site__code", "offering__chip__code")
        .annotate(total=Sum("cards"))
    )
    return Counter({(site, chip): total or 0 for site, chip, total in rows})


def _free_by_node(cards: list[Card]) -> tuple[int, ...]:
    """Free cards of each machine as reported; empty where the site does not name machines."""
    if not cards or not all(card.node for card in cards):
        return ()
    free = Counter({card.node: 0 for card in cards})
    free.update(card.node for card in cards if card.state == "free")
    return tuple(free[node] for node in sorted(free))


def _watts_free(site: Site) -> int | None:
    """What the supply may still give by the last report; ``None`` without bound or report."""
    report = site.last_report() if site.power_budget_watts is not None else None
    if report is None or report.power is None or site.power_budget_watts is None:
        return None
    return site.power_budget_watts - round(report.power.facility_watts)
