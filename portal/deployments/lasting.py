"""How long an endpoint runs until a moment, by its opening hours, and what that costs at most."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from billing import tariffs
from billing.rating import card_amount
from portal.deployments import schedules
from portal.deployments.models import Endpoint, Revision, Schedule
from portal.deployments.schedules import Hours


def hours_of(endpoint: Endpoint) -> Hours | None:
    """Its opening hours, if it has any."""
    row = Schedule.objects.filter(endpoint=endpoint).first()
    return schedules.read(row.hours) if row is not None else None


def seconds_left(hours: Hours | None, *, runs: bool, now: datetime, end: datetime) -> int:
    """As it is now until the next change, then by the hours; without hours it stays as it is."""
    if now >= end:
        return 0
    if hours is not None:
        return schedules.seconds_left(hours, runs=runs, now=now, end=end)
    return int((end - now).total_seconds()) + 1 if runs else 0


def form_amount(form: Revision, endpoint: Endpoint, seconds: int, now: datetime) -> Fraction:
    """Won for all replicas of a form, for so long; nothing where its chip has no price."""
    assert form.offering is not None  # of an ordered endpoint
    offering = form.offering
    price = tariffs.card_tariff_at(offering.chip.code, now, endpoint.organization_id)
    if price is None:
        return Fraction(0)
    return card_amount(form.replicas * offering.cards * seconds, price.won_per_hour)
