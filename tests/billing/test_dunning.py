"""When an unpaid invoice is spoken of: the schedule, day by day, and late interest."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing.dunning import Schedule, days_late, late_interest

DUE = date(2026, 12, 30)
PLAN = Schedule()


def day(offset: int) -> date:
    return DUE + timedelta(days=offset)


@pytest.mark.parametrize(
    ("offset", "step"),
    [
        (-4, None),
        (-3, "before-3"),
        (0, "before-3"),
        (1, "after-1"),
        (6, "after-1"),
        (7, "after-7"),
        (14, "after-14"),
        (29, "after-14"),
        (30, "restrict-30"),
        (400, "restrict-30"),
    ],
)
def test_takes_the_last_step_whose_day_has_come(offset: int, step: str | None) -> None:
    found = PLAN.next_step(DUE, day(offset), [])

    assert (found and found.name) == step


def test_takes_no_step_twice_and_makes_up_for_none() -> None:
    assert PLAN.next_step(DUE, day(2), ["after-1"]) is None
    assert PLAN.next_step(DUE, day(15), ["before-3"]).name == "after-14"  # type: ignore[union-attr]
    assert PLAN.next_step(DUE, day(15), ["after-14"]) is None


def test_names_and_orders_its_steps_whatever_the_settings_say() -> None:
    assert [step.name for step in Schedule((40, 0, -2), 30).steps] == [
        "before-2",
        "after-0",
        "restrict-30",
        "after-40",
    ]
    assert [step.name for step in Schedule((7,), None).steps] == ["after-7"]


def test_says_all_dates_beforehand() -> None:
    found = [(step.name, str(on)) for step, on in PLAN.dates(DUE)]

    assert found == [
        ("before-3", "2026-12-27"),
        ("after-1", "2026-12-31"),
        ("after-7", "2027-01-06"),
        ("after-14", "2027-01-13"),
        ("restrict-30", "2027-01-29"),
    ]


def test_restricts_from_its_day_on() -> None:
    assert not PLAN.restricts(DUE, day(29))
    assert PLAN.restricts(DUE, day(30))
    assert not Schedule(restrict_after=None).restricts(DUE, day(400))


@pytest.mark.parametrize(
    ("first", "until", "days"),
    [
        (date(2026, 12, 1), date(2027, 1, 1), 1),  # the due date itself is in time
        (date(2027, 1, 1), date(2027, 2, 1), 31),
        (date(2026, 11, 1), date(2026, 12, 1), 0),
    ],
)
def test_counts_late_days_of_a_month(first: date, until: date, days: int) -> None:
    assert days_late(DUE, first, until) == days


def test_computes_simple_interest_exactly() -> None:
    assert late_interest(365_000_000, 31, Decimal("6")) == 1_860_000
    assert late_interest(1, 1, Decimal("6")) == Decimal("0.000164383562")
