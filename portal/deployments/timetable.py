"""What doors show of opening hours and scaling, and what hours would cost before they are set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from billing import tariffs
from portal.deployments import requoting, scaling, schedules
from portal.deployments.actions import opening
from portal.deployments.models import Endpoint, Revision, ScaleStep, Scaling, Schedule
from portal.deployments.quoting import NotForSale
from portal.deployments.schedules import Hours
from portal.lib.money import ceil_won

STEPS_SHOWN = 20

ByHand = Literal["", "paused", "resumed"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Won without VAT, of all replicas of the form."""

    seconds_a_month: int  # of the longest
    won_a_month: int
    won_always: int

    @property
    def hours_a_month(self) -> int:
        """Rounded up."""
        return -(-self.seconds_a_month // 3600)


@dataclass(frozen=True, slots=True)
class Estimate:
    """``missing_micro``: has to be set aside besides this month; negative: is free again.
    ``known``: whether the holidays of now are."""

    cost: Cost
    missing_micro: int
    opens: bool  # it would be open now
    changes_at: datetime | None
    known: bool


def cost(endpoint: Endpoint, hours: Hours, now: datetime) -> Cost:
    """``quoting.NotForSale`` of one that was never ordered."""
    price = _price(requoting.form_of(endpoint), endpoint, now)
    seconds = schedules.most_in_a_month(hours, now)
    return Cost(seconds, ceil_won(price * seconds / 3600), ceil_won(price * 31 * 24))


def estimate(endpoint: Endpoint, hours: Hours, now: datetime) -> Estimate:
    """As ``cost``, with what setting them would do now."""
    opens = schedules.is_open(hours, now)
    return Estimate(
        cost=cost(endpoint, hours, now),
        missing_micro=opening.missing_micro(endpoint, hours, runs=opens, now=now),
        opens=opens,
        changes_at=schedules.next_change(hours, now),
        known=schedules.covers(hours, now),
    )


def _price(form: Revision, endpoint: Endpoint, now: datetime) -> Decimal:
    """Won an hour of all replicas."""
    assert form.offering is not None  # form_of has looked
    price = tariffs.card_tariff_at(form.offering.chip.code, now, endpoint.organization_id)
    if price is None:
        raise NotForSale
    return price.won_per_hour * form.replicas * form.offering.cards


def schedule_of(endpoint: Endpoint) -> Schedule | None:
    """Its opening hours with what they did last. The caller may see the endpoint."""
    return Schedule.objects.filter(endpoint=endpoint).first()


def by_hand(schedule: Schedule, endpoint: Endpoint) -> ByHand:
    """Whether somebody has paused or resumed it since its hours last changed."""
    runs = endpoint.paused_at is None
    if schedule.trouble or runs == (schedule.state == "open"):
        return ""
    return "resumed" if runs else "paused"


@dataclass(frozen=True, slots=True)
class Sizes:
    """``per_replica`` is what counts, ``chosen`` what was chosen (0: nothing)."""

    least: int
    most: int
    per_replica: int
    chosen: int
    up_seconds: int
    down_seconds: int
    idle_seconds: int
    fixed: int | None
    fixed_until: datetime | None


def sizes(endpoint: Endpoint, now: datetime) -> Sizes:
    """``quoting.NotForSale`` of one that was never ordered."""
    form = requoting.form_of(endpoint)
    assert form.offering is not None  # form_of has looked
    row = Scaling.objects.filter(endpoint=endpoint).first() or Scaling()
    fixed = row.fixed_until is not None and row.fixed_until > now
    return Sizes(
        least=form.replicas if form.least is None else form.least,
        most=form.replicas,
        per_replica=row.per_replica or scaling.per_replica(form.offering.parallel),
        chosen=row.per_replica,
        up_seconds=row.up_seconds,
        down_seconds=row.down_seconds,
        idle_seconds=row.idle_seconds,
        fixed=row.fixed if fixed else None,
        fixed_until=row.fixed_until if fixed else None,
    )


def steps(endpoint: Endpoint) -> list[ScaleStep]:
    """What was done to its number of replicas, newest first."""
    return list(endpoint.scale_steps.all()[:STEPS_SHOWN])
