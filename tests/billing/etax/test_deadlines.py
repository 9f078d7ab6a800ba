"""By when, in tables: ends of months, weekends, holidays of Korea, years that are not known."""

from __future__ import annotations

from datetime import date

import pytest

from billing.etax import deadlines
from billing.etax.amendments import Code
from billing.etax.deadlines import Urgency


@pytest.mark.parametrize(
    ("written", "due"),
    [
        ("2026-11-30", "2026-12-10"),
        ("2026-11-01", "2026-12-10"),
        ("2026-12-31", "2027-01-11"),  # the 10th is a Sunday
        ("2026-09-30", "2026-10-12"),  # a Saturday, then Sunday
        ("2027-01-31", "2027-02-10"),
        ("2027-09-30", "2027-10-12"),  # a Sunday, then a substitute holiday
    ],
)
def test_is_issued_by_the_tenth_of_the_next_month(written: str, due: str) -> None:
    assert deadlines.issue_by(date.fromisoformat(written)) == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("issued", "due"),
    [
        ("2026-12-09", "2026-12-10"),
        ("2026-12-11", "2026-12-14"),  # a Friday
        ("2026-12-24", "2026-12-28"),  # Christmas is a Friday
        ("2026-09-23", "2026-09-28"),  # 추석
        ("2026-12-31", "2027-01-04"),
    ],
)
def test_is_sent_by_the_day_after(issued: str, due: str) -> None:
    assert deadlines.send_by(date.fromisoformat(issued)) == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("code", "due"),
    [
        (Code.WRONG_PARTICULARS, "2026-12-14"),  # noticed on a Saturday
        (Code.AMOUNT_CHANGED, "2027-01-11"),
        (Code.RETURNED, "2027-01-11"),
        (Code.CANCELLED, "2027-01-11"),
        (Code.LETTER_OF_CREDIT, "2027-01-25"),
        (Code.ISSUED_TWICE, "2026-12-14"),
    ],
)
def test_an_amendment_has_the_day_of_its_code(code: Code, due: str) -> None:
    found = deadlines.amend_by(code, write_date=date(2026, 11, 30), event=date(2026, 12, 12))

    assert found == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("today", "done", "urgency", "won"),
    [
        ("2026-12-01", False, Urgency.FINE, 0),
        ("2026-12-06", False, Urgency.FINE, 0),
        ("2026-12-07", False, Urgency.SOON, 0),
        ("2026-12-10", False, Urgency.SOON, 0),
        ("2026-12-11", False, Urgency.LATE, 10_000),
        ("2026-12-11", True, Urgency.DONE, 0),
    ],
)
def test_says_how_urgent_it_is(today: str, done: bool, urgency: Urgency, won: int) -> None:
    found = deadlines.standing(
        due=date(2026, 12, 10),
        today=date.fromisoformat(today),
        supply_won=1_000_009,
        done=done,
    )

    assert (found.urgency, found.won, found.holidays_known) == (urgency, won, True)


def test_says_where_the_holidays_are_not_known() -> None:
    found = deadlines.standing(
        due=date(2031, 1, 10), today=date(2031, 1, 1), supply_won=1, done=False
    )

    assert not found.holidays_known


@pytest.mark.parametrize(
    ("day", "end"), [("2026-06-30", "2026-07-25"), ("2026-07-01", "2027-01-25")]
)
def test_the_periods_return_is_after_its_half_year(day: str, end: str) -> None:
    assert deadlines.return_day(date.fromisoformat(day)) == date.fromisoformat(end)
