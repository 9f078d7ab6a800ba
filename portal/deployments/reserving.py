"""What a reservation would cost and at which site it would be; or why not, and what to change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from django.utils.translation import gettext as _

from billing import tariffs
from billing.estimates import Amount
from billing.rating import card_amount
from billing.resolution import Version
from portal.catalog.models import Chip
from portal.deployments import placement
from portal.deployments.claims import Claims
from portal.deployments.fixes import Fix, fixes
from portal.deployments.placement import Choice, Rejection, SiteRoom, Wanted
from portal.deployments.slots import Slot, assign
from portal.fleet.models import Site, UsableCards
from portal.lib.money import MICRO
from portal.lib.periods import Month, Period
from tenants import quotas, rls
from tenants.models import Project

HOUR = timedelta(hours=1)
LONGEST_HOURS = 31 * 24
AHEAD = timedelta(days=90)
MOST_CARDS = 1024
LATER_WITHIN = timedelta(days=14)


class BadTimes(Exception):
    def __str__(self) -> str:
        return _(
            "A reservation begins on a full hour within the next %(days)d days and lasts 1 to "
            "%(hours)d whole hours."
        ) % {"days": AHEAD.days, "hours": LONGEST_HOURS}


class BadCards(Exception):
    def __str__(self) -> str:
        return _("Choose 1 to %(most)d cards.") % {"most": MOST_CARDS}


class TooManyCards(Exception):
    """The organization's quota."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("The organization may have %(most)d cards reserved at one time.") % {
            "most": self.most
        }


class UnknownChip(Exception):
    def __str__(self) -> str:
        return _("There is no such chip, or no price for it yet.")


class NoCards(Exception):
    """No allowed site has the cards at all these hours. ``later``: when one has, if soon."""

    def __init__(
        self, rejected: tuple[Rejection, ...], tried: tuple[Fix, ...], later: datetime | None
    ) -> None:
        super().__init__()
        self.rejected, self.fixes, self.later = rejected, tried, later

    def __str__(self) -> str:
        return _("No allowed site has so many cards free at all these hours.")


@dataclass(frozen=True, slots=True)
class ReservationWish:
    """What a customer chose. ``period`` begins and ends on full hours."""

    name: str
    chip: str  # code
    cards: int
    period: Period
    region: str = ""  # code; empty: any
    site: str = ""  # code; empty: any

    def digest(self) -> str:
        """What makes two wishes the same under one idempotency key."""
        start, end = self.period.start.isoformat(), self.period.end.isoformat()
        words = [self.name, self.chip, self.cards, start, end, self.region, self.site]
        return hashlib.sha256(msgspec.json.encode(words)).hexdigest()


@dataclass(frozen=True, slots=True)
class ReservationQuote:
    """The price before the button, without VAT, in whole won rounded up. ``shares``: what is set
    aside, month by month, in micro-won."""

    site: Site
    chip: Chip
    price: Version
    cards: int
    hours: int
    shares: dict[Month, int]
    slots: tuple[Slot, ...]

    @property
    def won_per_card_hour(self) -> Decimal:
        return self.price.won_per_hour

    @property
    def won_in_all(self) -> int:
        return sum(self.shares.values()) // MICRO


def quote(*, wish: ReservationWish, project: Project, now: datetime) -> ReservationQuote:
    """``BadTimes``, ``BadCards``, ``UnknownChip``, ``TooManyCards``, ``NoCards``."""
    sites = Site.objects.asked().select_related("region").order_by("pk")
    return _quote(wish, project, list(sites), now)


def quote_locked(wish: ReservationWish, project: Project, now: datetime) -> ReservationQuote:
    """The same with the sites locked until the end of the transaction, as orders lock them."""
    sites = Site.objects.asked().select_for_update(of=["self"]).select_related("region")
    return _quote(wish, project, list(sites.order_by("pk")), now)


def shares_of(slots: Sequence[Slot], price: Version) -> dict[Month, int]:
    """Micro-won of each month; each month rounded up to a whole won, as it is set aside."""
    seconds: dict[Month, int] = {}
    for one in slots:
        month = Month.of(one.period.start)
        while month.period.start < one.period.end:
            piece = month.period.overlap(one.period)
            seconds[month] = seconds.get(month, 0) + (piece.seconds if piece else 0)
            month = month.next
    return {
        month: Amount.of(card_amount(count, price.won_per_hour)).supply_won * MICRO
        for month, count in sorted(seconds.items())
    }


def check(wish: ReservationWish, now: datetime) -> None:
    """Whether it makes sense at all, whoever wishes it. ``BadTimes``, ``BadCards``."""
    start, end = wish.period.start, wish.period.end
    whole = all(one.timestamp() % 3600 == 0 for one in (start, end))
    if not whole or not now <= start <= now + AHEAD:
        raise BadTimes
    if not HOUR <= end - start <= LONGEST_HOURS * HOUR:
        raise BadTimes
    if not 1 <= wish.cards <= MOST_CARDS:
        raise BadCards


def _quote(
    wish: ReservationWish, project: Project, sites: list[Site], now: datetime
) -> ReservationQuote:
    check(wish, now)
    found = look(wish.chip, sites, project, now)
    found.require_quota(wish)
    choice = found.choose(wish)
    if not choice.sites:
        raise NoCards(choice.rejected, found.fixes(wish), found.later(wish))
    site = next(one for one in sites if one.code == choice.sites[0])
    return found.priced(site, wish, found.slots(site, wish))


def look(code: str, sites: list[Site], project: Project, now: datetime) -> Look:
    """``UnknownChip``."""
    chip = Chip.objects.filter(code=code).first()
    price = tariffs.card_tariff_at(code, now, project.organization_id) if chip else None
    if chip is None or price is None:
        raise UnknownChip
    with rls.everyone(because="cards are shared by all tenants; only counts are read"):
        return Look(sites, chip, price, project, now)


class Look:
    """One kind of chip at all sites, at one moment, for one organization."""

    def __init__(
        self, sites: list[Site], chip: Chip, price: Version, project: Project, now: datetime
    ) -> None:
        self.sites, self.chip, self.price = sites, chip, price
        self.project, self.now = project, now
        self.claims = Claims(now, project.organization_id)
        rows = UsableCards.objects.filter(site__in=sites, chip=chip)
        self.cards: dict[int, int] = dict(rows.values_list("site", "cards"))

    def require_quota(self, wish: ReservationWish) -> None:
        most = quotas.most(self.project.organization, "reserved_cards")
        if self.claims.reserved(wish.period) + wish.cards > most:
            raise TooManyCards(most)

    def choose(self, wish: ReservationWish) -> Choice:
        """The emptiest site that has all of it. In the words of placement: one replica, which
        needs all cards."""
        return placement.choose(self.rooms(wish), self.wanted(wish))

    def priced(self, site: Site, wish: ReservationWish, slots: Sequence[Slot]) -> ReservationQuote:
        """At the price of now."""
        return ReservationQuote(
            site=site,
            chip=self.chip,
            price=self.price,
            cards=wish.cards,
            hours=wish.period.seconds // 3600,
            shares=shares_of(slots, self.price),
            slots=tuple(slots),
        )

    def fixes(self, wish: ReservationWish) -> tuple[Fix, ...]:
        """Other regions, tried; nobody is told later of room for a reservation."""
        region = next((one.region for one in self.sites if one.region.code == wish.region), None)
        found = fixes(self.rooms(wish), self.wanted(wish), centre=region.place if region else None)
        return tuple(one for one in found if one.kind in ("region", "project_region"))

    def later(self, wish: ReservationWish) -> datetime | None:
        """The first hour within two weeks at which as long a reservation fits."""
        last = wish.period.start + LATER_WITHIN
        ends = {
            slot.period.end
            for site in self.sites
            for slot in self.claims.slots(site.pk, self.chip.pk)
            if wish.period.start < slot.period.end <= last
        }
        length = wish.period.end - wish.period.start
        for start in sorted(ends):
            if self.choose(replace(wish, period=Period(start, start + length))).sites:
                return start
        return None

    def slots(self, site: Site, wish: ReservationWish) -> list[Slot]:
        """Numbers for it; they are there, since the count says so."""
        taken = self.claims.slots(site.pk, self.chip.pk)
        of = self.cards.get(site.pk, 0)
        return assign(taken, of=of, cards=wish.cards, period=wish.period)

    def wanted(self, wish: ReservationWish) -> Wanted:
        """In the words of placement."""
        return Wanted(
            replicas=1,
            data_class=self.project.data_class,
            allowed=frozenset(self.project.regions),
            region=wish.region,
        )

    def rooms(self, wish: ReservationWish) -> list[SiteRoom]:
        """As placement sees the sites: the cards that are free at all its hours."""
        sites = [one for one in self.sites if wish.site in ("", one.code)]
        return [self._room(site, wish) for site in sites]

    def _room(self, site: Site, wish: ReservationWish) -> SiteRoom:
        cards, kind = self.cards.get(site.pk, 0), (site.pk, self.chip.pk)
        free = self.claims.reservable(cards, *kind, wish.period)
        return SiteRoom(
            site=site.code,
            region=site.region.code,
            chip=self.chip.code,
            state=site.state_at(self.now),
            cards=cards,
            cards_free=max(0, free),
            offering=0,
            cards_per_replica=wish.cards,
            data_classes=tuple(site.data_classes),
            place=site.region.place,
            cards_reserved=max(0, cards - self.claims.promised(*kind)) - max(0, free),
        )
