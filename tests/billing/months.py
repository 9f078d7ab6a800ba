"""What tests of the month end share: who has used what, and a run as far as it goes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from billing.closing import runs, steps
from billing.closing.calendar import review_until
from billing.models import (
    Invoice,
    MonthClose,
)
from portal.lib.periods import Month
from tenants.models import Organization
from tests import factories

NOVEMBER = Month(2026, 11)
AFTER = NOVEMBER.period.end + timedelta(hours=1)
REVIEWED = review_until(NOVEMBER, 3)
COUNTING = steps.Counting(lambda until: {}, lambda organization, until: None)


def use(of: Any, tokens: int = 1_000_000, **fields: Any) -> None:
    factories.ledger_entry(of, **{"tokens_in": tokens, "tokens_out": 0} | fields)


def run(now: datetime = REVIEWED) -> MonthClose:
    return steps.advance(runs.begin(NOVEMBER, now=now), COUNTING, now=now)


def firms(count: int, *, kind: str = "sme") -> list[Organization]:
    """So many, each of which has used a different amount."""
    made = []
    for number in range(count):
        firm = factories.organization(f"회사 {number}", number=None, kind=kind)
        use(factories.project(firm), 1_000_000 + number * 17_000)
        made.append(firm)
    return made


def numbers() -> list[str]:
    return sorted(Invoice.objects.values_list("number", flat=True))
