"""What a change of an endpoint would cost, and where new replicas would come; or why not.

The price is that of the whole endpoint afterwards. Set aside is only what is more than before: what
is less is freed once the replicas have stopped and their card time is known
(``actions.commitments``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from django.utils.translation import gettext as _

from billing import estimates, tariffs, terms
from billing.resolution import Version
from portal.catalog.models import Offering
from portal.deployments import lasting, placement, quoting, runnable
from portal.deployments.fixes import Fix
from portal.deployments.models import Endpoint, OrderKind, Placement, Revision, Strategy
from portal.deployments.placement import SiteRoom, Wanted
from portal.deployments.quoting import BadReplicas, NoRoom, NotForSale, Quote, Wish
from portal.fleet.models import Site
from portal.lib.periods import Month
from tenants import quotas
from tenants.models import Project


class NothingChanges(Exception):
    def __str__(self) -> str:
        return _("It is so already.")


@dataclass(frozen=True, slots=True)
class Change:
    """What is wished of an endpoint. No replicas: as many as it had."""

    kind: str  # of OrderKind
    replicas: int = 0
    region: str = ""  # these of a move; empty: any
    chip: str = ""
    apart: bool = False
    strategy: str = Strategy.ROLLING

    def digest(self, endpoint: Endpoint) -> str:
        """What makes two wishes the same under one idempotency key; the same as ever for what
        could be asked before there were strategies."""
        words = [self.kind, endpoint.public_id, self.replicas, self.region, self.chip, self.apart]
        more = [] if self.strategy == Strategy.ROLLING else [str(self.strategy)]
        return hashlib.sha256(msgspec.json.encode(words + more)).hexdigest()


@dataclass(frozen=True, slots=True)
class ChangeQuote:
    """``priced.choice`` names the sites of the replicas that come; ``leaving`` are those that go.
    Won are without VAT; nothing is charged before while an endpoint pauses."""

    priced: Quote
    wish: Wish
    leaving: tuple[Placement, ...]
    won_per_hour_before: int
    won_per_month_before: int
    generation: int
    surge_micro: int = 0  # of what is set aside: for the time in which both forms run

    @property
    def more_per_hour(self) -> int:
        """Negative: less."""
        return self.priced.won_per_hour - self.won_per_hour_before

    @property
    def more_per_month(self) -> int:
        """Negative: less."""
        return self.priced.won_per_month - self.won_per_month_before


def form_of(endpoint: Endpoint) -> Revision:
    """The newest revision. ``NotForSale`` for an endpoint that was never ordered."""
    rows = endpoint.revisions.select_related("offering__chip", "offering__version").order_by(
        "-number"
    )
    found = rows.first()
    if found is None or found.offering is None or endpoint.project is None:
        raise NotForSale
    return found


def quote_at(sites: list[Site], change: Change, endpoint: Endpoint, now: datetime) -> ChangeQuote:
    """With sites that the caller may have locked. ``NoRoom``, ``NotForSale``, ``BadReplicas``,
    ``NothingChanges``."""
    form = form_of(endpoint)
    project, offering = endpoint.project, form.offering
    assert project is not None and offering is not None  # form_of has looked
    replicas = change.replicas or form.replicas
    most = quotas.several(project.organization, "replicas", "cards")
    if not 1 <= replicas <= most["replicas"]:
        raise BadReplicas(most["replicas"])
    if change.kind == OrderKind.RESIZE and replicas == form.replicas:
        raise NothingChanges
    wanted = list(endpoint.placements.seats().select_related("site"))
    here = without_replaced(wanted)
    room = Room(sites, project, now)
    more = offering.cards * (replicas - len(here))
    chip = offering.chip.code
    quoting.require_cards(room.cards, project, chip, more=more, most=most["cards"])
    choice = room.more(form, endpoint, here, _at_once(form, replicas, len(here)) - len(here))
    before = 0 if endpoint.paused_at else form.replicas
    hour, month = won(room, offering, before)
    region = form.regions[0] if form.regions else ""
    return ChangeQuote(
        priced=_priced(room, offering, _Sizes(endpoint, form, replicas, before), choice),
        wish=Wish(
            name=endpoint.name,
            model=runnable.of(endpoint).name,
            region=region,
            replicas=replicas,
            chip=offering.chip.code,
            apart=form.apart,
        ),
        leaving=with_replaced(surplus(here, len(here) - replicas), wanted),
        won_per_hour_before=hour,
        won_per_month_before=month,
        generation=endpoint.generation,
    )


def _at_once(form: Revision, replicas: int, here: int) -> int:
    """How many run as soon as the change is carried out: where their number follows what is asked,
    those that run, or the fewest."""
    if form.least is None:
        return replicas
    return min(max(here, form.least, 1), replicas)


def without_replaced(wanted: list[Placement]) -> list[Placement]:
    """Each replica once: one that leaves its site and the one in its stead are the same."""
    replaced = {one.instead_of for one in wanted}
    return [one for one in wanted if one.public_id not in replaced]


def with_replaced(leaving: list[Placement], wanted: list[Placement]) -> tuple[Placement, ...]:
    """And those in whose stead they were asked for, or they would be replaced again."""
    by_id = {one.public_id: one for one in wanted}
    found = list(leaving)
    for one in found:  # grows: a replacement may have had to leave too
        if original := by_id.get(one.instead_of):
            found.append(original)
    return tuple(found)


def surplus(here: list[Placement], count: int) -> list[Placement]:
    """Which replicas go: those that do not answer first, then where most stand, the newest."""
    left, found = list(here), []
    for _turn in range(max(0, count)):
        load = Counter(one.site_id for one in left)
        worst = max(left, key=lambda one: (one.state != "ready", load[one.site_id], one.pk))
        left.remove(worst)
        found.append(worst)
    return found


class Room:
    """Prices and cards of one moment."""

    def __init__(self, sites: list[Site], project: Project, now: datetime) -> None:
        self.project, self.now = project, now
        self.book = tariffs.Book("cards", now, project.organization_id)
        self.cards = quoting.room_of(sites, self.book, project.organization_id, now)

    def tariff(self, offering: Offering) -> Version:
        found = self.book.price(offering.chip.code, self.project.organization_id)
        if found is None:
            raise NotForSale
        return found

    def more(
        self, form: Revision, endpoint: Endpoint, here: list[Placement], count: int
    ) -> placement.Choice:
        """Sites for so many more of the same offering."""
        assert form.offering is not None  # of an ordered endpoint
        chip = form.offering.chip.code
        if count <= 0:
            return placement.Choice((), (), chip)
        taken = {one.site.code for one in here} if form.apart else set()
        rooms = [
            one
            for one in runnable.of(endpoint).rooms(self.cards)
            if one.site not in taken and one.offering in (None, form.offering_id)
        ]
        wanted = Wanted(
            replicas=count,
            data_class=self.project.data_class,
            allowed=frozenset(self.project.regions),
            region=form.regions[0] if form.regions else "",
            chip=chip,
            apart=form.apart,
        )
        choice = placement.choose(rooms, wanted)
        if not choice.sites:
            raise NoRoom(choice.rejected, _fewer(rooms, wanted, len(here)))
        return choice


def _fewer(rooms: list[SiteRoom], wanted: Wanted, here: int) -> tuple[Fix, ...]:
    """As many as find room, if that is more than there are."""
    for count in range(wanted.replicas - 1, 0, -1):
        if placement.choose(rooms, replace(wanted, replicas=count)).sites:
            return (Fix("replicas", str(here + count)),)
    return ()


def won(room: Room, offering: Offering, replicas: int) -> tuple[int, int]:
    """Of an hour and of a whole month."""
    if not replicas:
        return 0, 0
    cards = offering.cards * replicas
    found = estimates.endpoint(room.tariff(offering), cards=cards, month=Month.of(room.now))
    return found.hour.supply_won, found.worst.supply_won


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Of one change: ``before`` counts what runs, ``form`` also what its opening hours bring."""

    endpoint: Endpoint
    form: Revision
    replicas: int
    before: int

    def periods(self, now: datetime, end: datetime) -> tuple[int, int, int]:
        """Seconds until ``end`` after the change; replicas and seconds that are set aside."""
        hours = lasting.hours_of(self.endpoint)
        runs = self.endpoint.paused_at is None
        after = lasting.seconds_left(hours, runs=True, now=now, end=end)
        if hours is None:
            return after, self.before, after
        return after, self.form.replicas, lasting.seconds_left(hours, runs=runs, now=now, end=end)


def _priced(room: Room, offering: Offering, sizes: _Sizes, choice: placement.Choice) -> Quote:
    tariff, month = room.tariff(offering), Month.of(room.now)
    after, had, had_seconds = sizes.periods(room.now, month.period.end)
    count, seconds = sizes.replicas - had, after
    if had_seconds != after:  # opening hours: what comes is another number of replicas each time
        count, seconds = 1, sizes.replicas * after - had * had_seconds
    aside = 0
    if count > 0 and seconds > 0:
        of_month = terms.of(room.project.organization, month)
        cards = offering.cards * count
        rest = estimates.run(tariff, cards=cards, seconds=seconds, terms=of_month)
        aside = rest.supply_won * 1_000_000
    per_hour, per_month = won(room, offering, sizes.replicas)
    return Quote(
        chip=offering.chip.code,
        offering=offering.pk,
        cards=offering.cards * sizes.replicas,
        price_version=tariff.public_id,
        won_per_card_hour=tariff.won_per_hour,
        won_per_hour=per_hour,
        won_per_month=per_month,
        rest_of_month_micro=aside,
        month=month,
        choice=choice,
    )
