"""How much room each site has for one model: reported cards minus what is already promised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db.models import QuerySet

from portal.catalog.models import CatalogModel, Offering
from portal.deployments.claims import Claims
from portal.deployments.placement import SiteRoom
from portal.fleet import site_offerings, starting, stock
from portal.fleet.models import Site
from portal.fleet.stock import Stock


def current() -> QuerySet[Offering]:
    """Offerings of models as they are now, with all that a room asks of them."""
    rows = Offering.objects.filter(version__current=True).select_related("version__model", "chip")
    return rows.order_by("pk")


class Room:
    """All cards of some sites at one moment, for many models to be asked about.

    Make it with the sites locked when the answer decides an order. Needs sight of all tenants'
    placements, since cards are shared by all. ``sites``: nothing for all that are asked.
    ``prices``: chip → micro-won a card and hour, for the one who asks: ``organization``, whose own
    reservations are free for it.
    """

    def __init__(
        self,
        sites: list[Site] | None,
        *,
        prices: Mapping[str, int],
        now: datetime,
        organization: int | None = None,
    ) -> None:
        self.prices = prices
        self.claims = Claims(now, organization)
        self.stock = (
            stock.at_all(now) if sites is None else stock.at([one.pk for one in sites], now)
        )
        self.standing = site_offerings.Standings(self.stock)
        self.lacking: dict[tuple[int, str], tuple[str, ...]] = {}

    def of(
        self, models: Iterable[CatalogModel], *, only: Collection[int] | None = None
    ) -> dict[str, list[SiteRoom]]:
        """Model → a room for each kind of chip at each site; a site without cards has one too.
        ``only``: offerings that can be taken, where not all can."""
        asked = list(models)
        by_model: dict[int, list[Offering]] = defaultdict(list)
        for offering in current().filter(version__model__in=asked):
            if only is None or offering.pk in only:
                by_model[offering.version.model_id].append(offering)
        return {model.slug: self._with(by_model[model.pk]) for model in asked}

    def _with(self, offerings: Iterable[Offering]) -> list[SiteRoom]:
        """For one model."""
        by_chip: dict[int, list[Offering]] = defaultdict(list)
        for offering in offerings:
            by_chip[offering.chip_id].append(offering)
        return [
            self._room(one, self._best(by_chip.get(one.chip_id, []), one)) for one in self.stock
        ]

    def for_offering(self, offering: Offering) -> list[SiteRoom]:
        """A room at each site that has the offering's chip, whether or not another offering would
        be taken there."""
        return [self._room(one, offering) for one in self.stock if one.chip_id == offering.chip_id]

    def running(self, chip: str) -> int:
        """Cards of one kind on which the organization's replicas run or are to run."""
        kind = next((one.chip_id for one in self.stock if one.chip == chip), None)
        return 0 if kind is None else self.claims.running(kind)

    def _best(self, offerings: list[Offering], here: Stock) -> Offering | None:
        """The one with the strongest evidence among those that can be started there."""
        if len(offerings) > 1:
            fit = [one for one in offerings if not self._lacks(one, here)]
            if found := self.standing.best(fit, here):
                return found
        return self.standing.best(offerings, here)

    def _lacks(self, offering: Offering, here: Stock) -> tuple[str, ...]:
        known = offering.id, here.driver
        if known not in self.lacking:
            self.lacking[known] = starting.lacks(offering, here.driver)
        return self.lacking[known]

    def _room(self, here: Stock, offering: Offering | None) -> SiteRoom:
        free = here.cards - self.claims.promised(here.pk, here.chip_id)
        open_now = self.claims.free(here.cards, here.pk, here.chip_id)
        stands = self.standing.of(offering, here) if offering else ""
        return SiteRoom(
            site=here.site,
            region=here.region,
            chip=here.chip,
            state=here.state,
            cards=here.cards,
            cards_free=max(0, open_now),
            offering=offering.id if offering else None,
            cards_per_replica=offering.cards if offering else 0,
            data_classes=here.data_classes,
            proven=stands == "proven",
            reverify=stands == "reverify",
            lacks=self._lacks(offering, here) if offering else (),
            nodes=here.free_by_node,
            watts_per_card=here.chip_watts,
            watts_free=here.watts_free,
            price_micro=self.prices.get(here.chip),
            place=here.place,
            ailing=here.ailing,
            cards_reserved=max(0, free) - max(0, open_now),
        )
