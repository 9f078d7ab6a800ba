"""What a wish would cost and where it would run; or why not, and what to change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec
from django.utils.translation import gettext as _

from billing import estimates, tariffs, terms
from portal.catalog.models import CatalogModel, Region
from portal.deployments import placement, runnable
from portal.deployments.capacity import Room
from portal.deployments.fixes import Fix, fixes
from portal.deployments.placement import Choice, Rejection, Wanted
from portal.deployments.runnable import Runnable
from portal.fleet.models import Site
from portal.lib.periods import Month
from tenants import quotas, rls
from tenants.models import Project

MOST_SMALLER = 5  # models that are tried in the stead of one that finds no room


class NoRoom(Exception):
    """No allowed sites hold all of it. ``rejected`` says why, site by site; ``fixes`` what to
    change: each was tried."""

    def __init__(self, rejected: tuple[Rejection, ...], tried: tuple[Fix, ...]) -> None:
        super().__init__()
        self.rejected = rejected
        self.fixes = tried

    def __str__(self) -> str:
        return _("No allowed site has room for all of it now.")


class NotForSale(Exception):
    def __str__(self) -> str:
        return _("This model cannot be ordered as an endpoint of your own yet.")


class BadReplicas(Exception):
    def __init__(self, most: int = quotas.QUOTAS["replicas"].usual) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("Choose 1 to %(most)d replicas.") % {"most": self.most}


class TooManyCards(BadReplicas):
    """More than the organization's quota of cards of one kind."""

    def __str__(self) -> str:
        return _(
            "The organization may run %(most)d cards of one kind. Ask for more, or run less."
        ) % {"most": self.most}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer chose."""

    name: str
    model: str  # slug, or the public id of an own model
    region: str  # code; empty means any
    replicas: int
    chip: str = ""  # code; empty means any
    apart: bool = False  # each replica at a site of its own

    def digest(self) -> str:
        """The same as ever for what could be asked before ``chip`` and ``apart`` were there."""
        words = [self.name, self.model, self.region, self.replicas]
        more = [self.chip, self.apart] if self.chip or self.apart else []
        return hashlib.sha256(msgspec.json.encode(words + more)).hexdigest()


@dataclass(frozen=True, slots=True)
class Quote:
    """The price before the button. Whole won are rounded up; VAT is not in them."""

    chip: str
    offering: int
    cards: int
    price_version: str
    won_per_card_hour: Decimal
    won_per_hour: int
    won_per_month: int
    rest_of_month_micro: int
    month: Month
    choice: Choice


def quote(*, wish: Wish, project: Project, now: datetime) -> Quote:
    """``NoRoom``, ``NotForSale``, ``BadReplicas``."""
    most = quotas.several(project.organization, "replicas", "cards")
    if not 1 <= wish.replicas <= most["replicas"]:
        raise BadReplicas(most["replicas"])
    return _quote(wish, _found(wish, project), project, None, now, most["cards"])


def _found(wish: Wish, project: Project, *, lock: bool = False) -> Runnable:
    found = runnable.find(wish.model, project.organization_id, lock=lock)
    if found is None:
        raise NotForSale
    return found


def quote_locked(wish: Wish, project: Project, now: datetime) -> tuple[Quote, list[Site]]:
    """The price, with the sites and an own model locked until the end of the transaction."""
    sites = list(
        Site.objects.asked()
        .defer("report")
        .select_for_update(of=["self"])
        .select_related("region")
        .order_by("pk")
    )
    most = quotas.most(project.organization, "cards")
    return _quote(wish, _found(wish, project, lock=True), project, sites, now, most), sites


def wanted_of(wish: Wish, project: Project) -> Wanted:
    """A wish in the words of placement."""
    return Wanted(
        replicas=wish.replicas,
        data_class=project.data_class,
        allowed=frozenset(project.regions),
        region=wish.region,
        chip=wish.chip,
        apart=wish.apart,
    )


def _quote(
    wish: Wish,
    named: Runnable,
    project: Project,
    sites: list[Site] | None,
    now: datetime,
    most_cards: int,
) -> Quote:
    book = tariffs.Book("cards", now, project.organization_id)
    room = room_of(sites, book, project.organization_id, now)
    rooms = named.rooms(room)
    wanted = wanted_of(wish, project)
    choice = placement.choose(rooms, wanted)
    if not choice.sites:
        if all(one.offering is None for one in rooms if one.chip):
            raise NotForSale
        raise NoRoom(choice.rejected, _fixes(room, rooms, wanted, named))
    chosen = next(one for one in rooms if (one.site, one.chip) == (choice.sites[0], choice.chip))
    tariff = book.price(choice.chip, project.organization_id)
    assert tariff is not None and chosen.offering is not None  # else it is not chosen
    cards = chosen.cards_per_replica * wish.replicas
    require_cards(room, project, choice.chip, more=cards, most=most_cards)
    month = Month.of(now)
    of_month = terms.of(project.organization, month)
    rest_seconds = int((month.period.end - now).total_seconds()) + 1
    rest = estimates.run(tariff, cards=cards, seconds=rest_seconds, terms=of_month)
    priced = estimates.endpoint(tariff, cards=cards, month=month)
    return Quote(
        chip=choice.chip,
        offering=chosen.offering,
        cards=cards,
        price_version=tariff.public_id,
        won_per_card_hour=tariff.won_per_hour,
        won_per_hour=priced.hour.supply_won,
        won_per_month=priced.worst.supply_won,
        rest_of_month_micro=rest.supply_won * 1_000_000,
        month=month,
        choice=choice,
    )


def require_cards(room: Room, project: Project, chip: str, *, more: int, most: int) -> None:
    """``more`` cards of one kind besides what the organization runs. ``TooManyCards``."""
    if more > 0 and room.running(chip) + more > most:
        raise TooManyCards(most)


def room_of(sites: list[Site] | None, book: tariffs.Book, organization: int, now: datetime) -> Room:
    """The cards of ``sites``, or of all that are asked, at the organization's own prices."""
    prices = {}
    for chip in book.names(organization):
        price = book.price(chip, organization)
        if price is not None:
            prices[chip] = int(price.won_per_hour * 1_000_000)
    with rls.everyone(because="cards are shared by all tenants; only counts are read"):
        return Room(sites, prices=prices, now=now, organization=organization)


def _fixes(
    room: Room, rooms: list[placement.SiteRoom], wanted: Wanted, named: Runnable
) -> tuple[Fix, ...]:
    smaller = CatalogModel.objects.none()  # nothing of the catalogue stands in for an own model
    if named.own is None:
        smaller = (
            CatalogModel.objects.orderable()
            .filter(kind=named.model.kind, parameters_millions__lt=named.model.parameters_millions)
            .order_by("-parameters_millions", "slug")[:MOST_SMALLER]
        )
    region = Region.objects.filter(code=wanted.region).first() if wanted.region else None
    centre = region.place if region else None
    return fixes(rooms, wanted, centre=centre, smaller=room.of(smaller))
