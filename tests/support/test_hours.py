"""When a first answer is due: business hours, weekends, holidays, midnights, ends of months."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from portal.lib.periods import SEOUL
from tenants.support import hours
from tenants.support.holidays import HOLIDAYS, YEARS
from tenants.support.words import WITHIN, Grade


def kst(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("since", "wanted_hours", "due"),
    [
        pytest.param("2026-11-16T12:00", 1, "2026-11-16T13:00", id="inside"),
        pytest.param("2026-11-16T09:00", 9, "2026-11-16T18:00", id="a-whole-day-ends-at-six"),
        pytest.param("2026-11-16T12:00", 9, "2026-11-17T12:00", id="over-a-night"),
        pytest.param("2026-11-16T17:30", 1, "2026-11-17T09:30", id="an-hour-in-two-halves"),
        pytest.param("2026-11-16T18:00", 1, "2026-11-17T10:00", id="at-closing-time"),
        pytest.param("2026-11-16T08:59", 1, "2026-11-16T10:00", id="before-opening"),
        pytest.param("2026-11-16T23:59", 4, "2026-11-17T13:00", id="before-midnight"),
        pytest.param("2026-11-17T00:00", 4, "2026-11-17T13:00", id="at-midnight"),
        pytest.param("2026-11-20T17:00", 4, "2026-11-23T12:00", id="over-a-weekend"),
        pytest.param("2026-11-21T10:00", 1, "2026-11-23T10:00", id="on-saturday"),
        pytest.param("2026-11-22T23:30", 27, "2026-11-25T18:00", id="three-days-from-sunday"),
        pytest.param("2026-11-30T17:00", 9, "2026-12-01T17:00", id="end-of-a-month"),
        pytest.param("2026-12-24T17:00", 4, "2026-12-28T12:00", id="over-christmas"),
        pytest.param("2026-12-31T15:00", 9, "2027-01-04T15:00", id="over-new-year"),
        pytest.param("2026-09-23T17:00", 9, "2026-09-28T17:00", id="over-chuseok-on-a-saturday"),
        pytest.param("2027-02-05T17:30", 1, "2027-02-10T09:30", id="over-seollal-and-substitute"),
        pytest.param("2027-04-30T17:00", 9, "2027-05-04T17:00", id="over-the-new-labour-day"),
        pytest.param("2026-07-16T17:00", 2, "2026-07-20T10:00", id="over-constitution-day"),
        pytest.param("2026-06-02T17:00", 2, "2026-06-04T10:00", id="over-an-election"),
        pytest.param("2026-10-02T17:00", 2, "2026-10-06T10:00", id="over-a-substitute"),
        pytest.param("2027-02-28T12:00", 1, "2027-03-02T10:00", id="from-february-into-march"),
    ],
)
def test_counts_only_business_hours(since: str, wanted_hours: int, due: str) -> None:
    found = hours.due(kst(since), timedelta(hours=wanted_hours))

    assert found == kst(due)
    assert found.tzinfo is UTC


def test_counts_in_korea_whatever_zone_it_is_asked_in() -> None:
    """23:30 UTC on Sunday is Monday morning in Korea."""
    since = datetime(2026, 11, 15, 23, 30, tzinfo=UTC)

    assert hours.due(since, timedelta(hours=1)) == kst("2026-11-16T10:00")


@pytest.mark.parametrize("within", [timedelta(0), timedelta(hours=-1), timedelta(days=400)])
def test_refuses_what_is_no_time_to_answer_in(within: timedelta) -> None:
    with pytest.raises(ValueError, match="no time"):
        hours.due(kst("2026-11-16T12:00"), within)


def test_says_which_years_it_does_not_know() -> None:
    assert hours.covers(kst("2026-01-01T00:00"), kst("2027-12-31T23:59"))
    assert not hours.covers(kst("2027-12-31T23:59"), kst("2028-01-01T00:00"))
    # there, only weekends are free: New Year's Day of 2029 is a Monday like any other
    assert hours.due(kst("2029-01-01T09:00"), timedelta(hours=1)) == kst("2029-01-01T10:00")


def test_the_table_has_each_years_holidays() -> None:
    assert {day.year for day in HOLIDAYS} == YEARS
    for year in YEARS:
        fixed = {(1, 1), (3, 1), (5, 1), (5, 5), (6, 6), (7, 17), (8, 15), (10, 3), (10, 9)}
        assert {(day.month, day.day) for day in HOLIDAYS if day.year == year} >= fixed | {(12, 25)}


@pytest.mark.parametrize("year", sorted(YEARS))
def test_what_falls_on_a_weekend_has_its_substitute(year: int) -> None:
    """관공서의 공휴일에 관한 규정 제3조: on the next day that is free of both."""
    for month, day in [(3, 1), (5, 1), (5, 5), (7, 17), (8, 15), (10, 3), (10, 9), (12, 25)]:
        one = date(year, month, day)
        if one.weekday() >= 5:
            after = one + timedelta(days=7 - one.weekday())
            assert after in HOLIDAYS, after


def test_graver_requests_are_answered_sooner() -> None:
    times = [WITHIN[one] for one in (Grade.CRITICAL, Grade.HIGH, Grade.NORMAL, Grade.LOW)]

    assert times == sorted(times) and len(set(times)) == 4
