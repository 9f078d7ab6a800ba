"""What another form of an endpoint costs: other region, chip, or apart; and where it would begin.

While one form takes the place of the other both run: one replica more than before or after, or all
of both, as the strategy needs it. That is set aside too, for the longest time that a rollout may
take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from billing import estimates, terms
from billing.resolution import Version
from billing.term_lines import Term
from portal.catalog.models import Offering
from portal.deployments import lasting, placement, rollouts, runnable
from portal.deployments.fixes import Fix
from portal.deployments.models import Endpoint, Strategy
from portal.deployments.placement import Choice, Wanted
from portal.deployments.quoting import BadReplicas, NoRoom, NotForSale, Quote, Wish
from portal.deployments.requoting import Change, ChangeQuote, NothingChanges, Room, form_of, won
from portal.deployments.schedules import Hours
from portal.fleet.models import Site
from portal.lib.money import MICRO, ceil_won
from portal.lib.periods import Month
from tenants import quotas

BOTH_RUN = rollouts.LONGEST + timedelta(hours=1)  # and the way back


@dataclass(frozen=True, slots=True)
class _Side:
    """One form: its price, cards of one replica, replicas."""

    tariff: Version
    cards: int
    replicas: int

    def rest_won(self, seconds: int, of_month: Sequence[Term]) -> int:
        """Of the seconds that it runs this month."""
        if not self.replicas or not seconds:
            return 0
        cards = self.cards * self.replicas
        run = estimates.run(self.tariff, cards=cards, seconds=seconds, terms=of_month)
        return run.supply_won

    @property
    def hour(self) -> Decimal:
        """Won of one replica."""
        return self.tariff.won_per_hour * self.cards


def quote_at(sites: list[Site], change: Change, endpoint: Endpoint, now: datetime) -> ChangeQuote:
    """With sites that the caller may have locked. ``NoRoom``, ``NotForSale``, ``BadReplicas``,
    ``NothingChanges``."""
    form = form_of(endpoint)
    project, offering = endpoint.project, form.offering
    assert project is not None and offering is not None  # form_of has looked
    replicas = change.replicas or form.replicas
    most = quotas.most(project.organization, "replicas")
    if not 1 <= replicas <= most:
        raise BadReplicas(most)
    region = form.regions[0] if form.regions else ""
    same = (region, form.apart) == (change.region, change.apart)
    if same and change.chip == offering.chip.code and offering.version.current:
        raise NothingChanges
    room = Room(sites, project, now)
    choice, to = _beginning(room, endpoint, change, replicas)
    if same and to.pk == offering.pk:
        raise NothingChanges
    old = _Side(room.tariff(offering), offering.cards, form.replicas)
    new = _Side(room.tariff(to), to.cards, replicas)
    surge = surge_micro(old, new, rollouts.most(change.strategy, form.replicas, replicas))
    per_hour, per_month = won(room, offering, form.replicas)
    return ChangeQuote(
        priced=_priced(room, to, old, new, choice, surge, lasting.hours_of(endpoint)),
        wish=Wish(
            name=endpoint.name,
            model=runnable.of(endpoint).name,
            region=change.region,
            replicas=replicas,
            chip=change.chip,
            apart=change.apart,
        ),
        leaving=(),
        won_per_hour_before=per_hour,
        won_per_month_before=per_month,
        generation=endpoint.generation,
        surge_micro=surge,
    )


def _beginning(
    room: Room, endpoint: Endpoint, change: Change, replicas: int
) -> tuple[Choice, Offering]:
    """Where it begins: with one new replica, or with all where all come first."""
    if change.strategy != Strategy.BLUE_GREEN:
        return one_more(room, endpoint, change)
    try:
        return one_more(room, endpoint, change, replicas=replicas)
    except NoRoom as error:
        raise NoRoom(error.rejected, _fewer(room, endpoint, change, replicas)) from error


def _fewer(room: Room, endpoint: Endpoint, change: Change, replicas: int) -> tuple[Fix, ...]:
    """As many as find room beside the old form."""
    for count in range(replicas - 1, 0, -1):
        try:
            one_more(room, endpoint, change, replicas=count)
        except NoRoom:
            continue
        return (Fix("replicas", str(count)),)
    return ()


def one_more(
    room: Room,
    endpoint: Endpoint,
    change: Change,
    taken: frozenset[str] = frozenset(),
    *,
    replicas: int = 1,
) -> tuple[Choice, Offering]:
    """A site for one more replica of the wished form, or for so many. ``taken``: sites that have
    one, where they are to stand apart. ``NoRoom``, ``NotForSale``."""
    wanted = Wanted(
        replicas=replicas,
        apart=change.apart,
        data_class=room.project.data_class,
        allowed=frozenset(room.project.regions),
        region=change.region,
        chip=change.chip,
    )
    rooms = [
        one
        for one in runnable.of(endpoint).rooms(room.cards)
        if not (change.apart and one.site in taken)
    ]
    choice = placement.choose(rooms, wanted)
    if not choice.sites:
        raise NoRoom(choice.rejected, ())
    chosen = next(one for one in rooms if (one.site, one.chip) == (choice.sites[0], choice.chip))
    if chosen.offering is None:
        raise NotForSale
    return choice, Offering.objects.select_related("chip").get(pk=chosen.offering)


def surge_micro(old: _Side, new: _Side, most: int) -> int:
    """The dearest mixture of ``most`` replicas of both forms above the dearer of the two, while
    both may run."""
    worst = max(
        min(old.replicas, most - count) * old.hour + count * new.hour
        for count in range(new.replicas + 1)
    )
    above = worst - max(old.replicas * old.hour, new.replicas * new.hour)
    hours = Decimal(int(BOTH_RUN.total_seconds())) / 3600
    return ceil_won(max(Decimal(0), above) * hours) * MICRO


def _priced(
    room: Room,
    to: Offering,
    old: _Side,
    new: _Side,
    choice: Choice,
    surge: int,
    hours: Hours | None,
) -> Quote:
    month = Month.of(room.now)
    of_month = terms.of(room.project.organization, month)
    seconds = lasting.seconds_left(hours, runs=True, now=room.now, end=month.period.end)
    more = new.rest_won(seconds, of_month) - old.rest_won(seconds, of_month)
    per_hour, per_month = won(room, to, new.replicas)
    return Quote(
        chip=to.chip.code,
        offering=to.pk,
        cards=new.cards * new.replicas,
        price_version=new.tariff.public_id,
        won_per_card_hour=new.tariff.won_per_hour,
        won_per_hour=per_hour,
        won_per_month=per_month,
        rest_of_month_micro=max(0, more) * MICRO + surge,
        month=month,
        choice=replace(choice, chip=to.chip.code),
    )
