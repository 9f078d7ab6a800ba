"""Days, months and years in Korea: their ends, leap years, what nobody may ask for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from billing import dunning
from portal.lib.periods import Month, Year, day_period, seoul_date

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("month", "days", "following"),
    [
        (Month(2028, 2), 29, Month(2028, 3)),
        (Month(2027, 2), 28, Month(2027, 3)),
        (Month(2100, 2), 28, Month(2100, 3)),
        (Month(2026, 12), 31, Month(2027, 1)),
        (Month(2026, 11), 30, Month(2026, 12)),
    ],
)
def test_a_month_is_half_open_and_has_its_days(month: Month, days: int, following: Month) -> None:
    assert (month.days, month.next, following.previous) == (days, following, month)
    assert month.period.end == following.period.start
    assert Month.of(month.period.end - MICROSECOND) == month  # 23:59:59.999999
    assert Month.of(month.period.end) == following
    assert month.period.seconds == days * 86_400


def test_a_year_and_a_day_end_at_midnight_in_korea() -> None:
    turn = datetime(2026, 12, 31, 15, tzinfo=UTC)

    assert Year(2026).period.end == turn == Year(2027).period.start
    assert [Year.of(turn - MICROSECOND), Year.of(turn)] == [Year(2026), Year(2027)]
    assert seoul_date(turn - MICROSECOND) == date(2026, 12, 31)
    assert day_period(date(2028, 2, 29)).end == day_period(date(2028, 3, 1)).start


@pytest.mark.parametrize(
    "text",
    ["2026-13", "2026-00", "2026-1", "26-11", "1999-12", "3000-01", "２０２６-１１", "x", ""],
)
def test_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|lies"):
        Month.parse(text)


@pytest.mark.parametrize("text", ["999", "1999", "3000", "２０２６", "-202", "x"])
def test_is_no_year(text: str) -> None:
    with pytest.raises(ValueError, match=r"year|lies"):
        Year.parse(text)


def test_days_after_the_last_of_a_month_are_counted_and_never_skipped() -> None:
    """Due thirty days after 31 January of a leap year; reminders and interest follow by days."""
    due = date(2028, 1, 31) + timedelta(days=30)

    assert due == date(2028, 3, 1)
    assert dunning.days_late(date(2028, 2, 28), date(2028, 2, 1), date(2028, 3, 1)) == 1
    assert dunning.days_late(date(2027, 2, 28), date(2027, 3, 1), date(2027, 4, 1)) == 31
