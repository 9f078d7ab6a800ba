"""How much room each site has for one model: reported cards minus what is already promised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from portal.catalog.models import CatalogModel, Chip, Offering
from portal.deployments.claims import Claims
from portal.deployments.placement import SiteRoom
from portal.fleet import site_offerings, starting
from portal.fleet.models import Health, Site


class Room:
    """All cards of some sites at one moment, for many models to be asked about.

    Make it with the sites locked when the answer decides an order. Needs sight of all tenants'
    placements, since cards are shared by all. ``prices``: chip → micro-won a card and hour, for
    the one who asks: ``organization``, whose own reservations are free for it.
    """

    def __init__(
        self,
        sites: list[Site],
        *,
        prices: Mapping[str, int],
        now: datetime,
        organization: int | None = None,
    ) -> None:
        self.sites = sites
        self.now = now
        self.prices = prices
        self.organization = organization
        self.claims = Claims(now)
        self.standing = site_offerings.Standings(sites)
        self.lacking: dict[tuple[int, str], tuple[str, ...]] = {}
        self.cards, self.chips = _usable_cards([site.pk for site in sites])
        self.watts = _watts_drawn(sites)

    def of(
        self, models: Iterable[CatalogModel], *, only: Collection[int] | None = None
    ) -> dict[str, list[SiteRoom]]:
        """Model → a room for each kind of chip at each site; a site without cards has one too.
        ``only``: offerings that can be taken, where not all can."""
        offerings: dict[int, dict[int, list[Offering]]] = defaultdict(lambda: defaultdict(list))
        asked = list(models)
        rows = Offering.objects.filter(version__model__in=asked, version__current=True)
        if only is not None:
            rows = rows.filter(pk__in=only)
        for offering in rows.select_related("version__model", "chip").order_by("pk"):
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
                offering = self._best(offerings.get(chip.pk, []), site)
                found.append(self._room(site, chip, offering))
            if not kinds:
                found.append(self._room(site, None, None))
        return found

    def _best(self, offerings: list[Offering], site: Site) -> Offering | None:
        """The one with the strongest evidence among those that can be started there."""
        fit = [one for one in offerings if not self._lacks(one, site)]
        return self.standing.best(fit, site) or self.standing.best(offerings, site)

    def _lacks(self, offering: Offering, site: Site) -> tuple[str, ...]:
        known = offering.pk, site.driver
        if known not in self.lacking:
            self.lacking[known] = starting.lacks(offering, site.driver)
        return self.lacking[known]

    def _room(self, site: Site, chip: Chip | None, offering: Offering | None) -> SiteRoom:
        cards = self.cards[site.pk, chip.pk] if chip else Cards(0, ())
        free = cards.count - (self.claims.promised(site.pk, chip.pk) if chip else 0)
        open_now = self.claims.free(cards.count, site.pk, chip.pk, self.organization) if chip else 0
        stands = self.standing.of(offering, site) if offering else ""
        return SiteRoom(
            site=site.code,
            region=site.region.code,
            chip=chip.code if chip else "",
            state=site.state_at(self.now),
            cards=cards.count,
            cards_free=max(0, open_now),
            offering=offering.pk if offering else None,
            cards_per_replica=offering.cards if offering else 0,
            data_classes=tuple(site.data_classes),
            proven=stands == "proven",
            reverify=stands == "reverify",
            lacks=self._lacks(offering, site) if offering else (),
            nodes=cards.free_by_node,
            watts_per_card=chip.tdp_watts if chip else 0,
            watts_free=self._watts_free(site),
            price_micro=self.prices.get(chip.code) if chip else None,
            place=site.region.place,
            ailing=site.health_at(self.now) == Health.DEGRADED,
            cards_reserved=max(0, free) - max(0, open_now),
        )

    def _watts_free(self, site: Site) -> int | None:
        """What the supply may still give by the last report; ``None`` without bound or report."""
        drawn = self.watts.get(site.pk)
        if drawn is None or site.power_budget_watts is None:
            return None
        return site.power_budget_watts - round(drawn)


@dataclass(frozen=True, slots=True)
class Cards:
    """Those of one chip at one site that work. ``free_by_node``: as reported, by machine; empty
    where the site does not name machines."""

    count: int
    free_by_node: tuple[int, ...]


# Counted by the database: of two hundred sites there are forty thousand cards.
_USABLE = """
    SELECT site_id, chip_id, chip.code, chip.tdp_watts, sum(cards)::int,
           CASE WHEN bool_and(node <> '') THEN array_agg(free ORDER BY node) END
    FROM (
        SELECT site_id, chip_id, node, count(*) AS cards,
               (count(*) FILTER (WHERE state = 'free'))::int AS free
        FROM fleet_card WHERE site_id = ANY(%s) AND state NOT IN ('failed', 'gone')
        GROUP BY site_id, chip_id, node
    ) AS machine JOIN catalog_chip chip ON chip.id = chip_id
    GROUP BY site_id, chip_id, chip.code, chip.tdp_watts ORDER BY site_id, chip_id
"""


def _usable_cards(sites: list[int]) -> tuple[dict[tuple[int, int], Cards], dict[int, Chip]]:
    """By site and chip; and the chips, with no more of them than room is counted by."""
    cards, chips = {}, {}
    with connection.cursor() as cursor:
        cursor.execute(_USABLE, [sites])
        for site, chip, code, watts, count, free in cursor.fetchall():
            cards[site, chip] = Cards(count, tuple(free or ()))
            if chip not in chips:
                told = ["id", "code", "tdp_watts"]
                chips[chip] = Chip.from_db(connection.alias, told, [chip, code, watts])
    return cards, chips


def _watts_drawn(sites: list[Site]) -> dict[int, float]:
    """By their last reports, of the sites that have a bound. The reports stay where they are."""
    bounded = [site.pk for site in sites if site.power_budget_watts is not None]
    rows = Site.objects.filter(pk__in=bounded) if bounded else Site.objects.none()
    told = rows.values_list("pk", "report__power__facility_watts")
    return {pk: watts for pk, watts in told if watts is not None}
