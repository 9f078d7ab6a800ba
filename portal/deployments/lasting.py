"""How long an endpoint runs until a moment, by its opening hours, and what that costs at most."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from billing import tariffs
from billing.rating import card_amount
from billing.resolution import Version
from portal.catalog.models import Offering
from portal.deployments import schedules
from portal.deployments.models import Endpoint, Schedule
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


class Prices:
    """Won for a card and hour at one moment, each chip looked up once."""

    def __init__(self, endpoint: Endpoint, now: datetime) -> None:
        self.organization = endpoint.organization_id
        self.now = now
        self.known: dict[str, Version | None] = {}

    def tariff(self, chip: str) -> Version | None:
        """``None``: nobody set one."""
        if chip not in self.known:
            self.known[chip] = tariffs.card_tariff_at(chip, self.now, self.organization)
        return self.known[chip]

    def amount(self, offering: Offering, card_seconds: int) -> Fraction:
        """Exact won; nothing where its chip has no price."""
        price = self.tariff(offering.chip.code)
        return Fraction(0) if price is None else card_amount(card_seconds, price.won_per_hour)
