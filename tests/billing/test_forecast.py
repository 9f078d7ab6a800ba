"""What a budget will have used: the method by its words, in tables."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.forecast import Known, Point, forecast

TODAY = date(2026, 11, 9)  # a Monday


def known(**changes: object) -> Known:
    words: dict[str, object] = {
        "today": TODAY,
        "until": TODAY + timedelta(days=3),
        "since": TODAY - timedelta(days=28),
        "daily": {},
        "spent": 0,
        "committed": 0,
        "limit": 10**9,
    }
    return Known(**(words | changes))  # type: ignore[arg-type]


def weeks_of(*amounts: int, day: date = TODAY) -> dict[date, int]:
    """The weekday of ``day`` in the weeks before it, the latest first."""
    return {day - timedelta(weeks=week + 1): micro for week, micro in enumerate(amounts)}


@pytest.mark.parametrize(
    ("amounts", "low", "likely", "high"),
    [
        ((10, 20, 30, 40), 10, 25, 40),
        ((30, 10, 40, 20), 10, 25, 40),
        ((10, 10, 10, 1000), 10, 10, 1000),  # one odd day moves the range, not the middle
        ((7, 7, 7, 7), 7, 7, 7),
        ((5,), 0, 0, 5),  # the other weeks cost nothing
        ((1, 2, 3, 4), 1, 2, 4),  # half a micro-won is cut
    ],
)
def test_a_day_counts_like_its_weekdays(
    amounts: tuple[int, ...], low: int, likely: int, high: int
) -> None:
    found = forecast(known(daily=weeks_of(*amounts), until=TODAY + timedelta(days=1)))

    assert found is not None
    assert found.end == Point(TODAY, low, likely, high)
    assert found.weeks == 4


def test_every_day_takes_its_own_weekday() -> None:
    tuesday = weeks_of(100, 100, 100, 100, day=TODAY + timedelta(days=1))
    found = forecast(known(daily=weeks_of(1, 1, 1, 1) | tuesday))

    assert found is not None
    assert [one.likely for one in found.points] == [1, 101, 101]


def test_of_today_only_the_rest_is_still_to_come() -> None:
    daily = weeks_of(50, 50, 50, 50) | {TODAY: 30}

    found = forecast(known(daily=daily, spent=230, until=TODAY + timedelta(days=1)))
    over = forecast(known(daily=daily | {TODAY: 80}, spent=280, until=TODAY + timedelta(days=1)))

    assert found is not None and over is not None
    assert (found.end.likely, over.end.likely) == (250, 280)


def test_of_today_no_part_is_below_nothing() -> None:
    daily = weeks_of(10, 20, 30, 40) | {TODAY: 27}

    found = forecast(known(daily=daily, spent=27, until=TODAY + timedelta(days=1)))

    assert found is not None
    assert found.end == Point(TODAY, 27, 27, 40)


def test_what_is_set_aside_counts_in_full() -> None:
    found = forecast(known(spent=100, committed=400, daily={}))

    assert found is not None
    assert found.end == Point(TODAY + timedelta(days=2), 500, 500, 500)


def test_endpoints_that_run_go_on_once_nothing_is_set_aside() -> None:
    found = forecast(
        known(cards_a_day=24, committed=100, set_aside_until=TODAY + timedelta(days=2))
    )

    assert found is not None
    assert [(one.low, one.likely, one.high) for one in found.points] == [
        (100,) * 3, (100,) * 3, (124,) * 3
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "reached"),
    [(121, None), (120, 2), (100, 1), (81, 1), (80, 0), (60, 0), (0, 0)],
)
def test_says_on_which_day_the_limit_is_reached(limit: int, reached: int | None) -> None:
    daily = {TODAY - timedelta(days=day): 20 for day in range(1, 29)}

    found = forecast(known(daily=daily, spent=60, limit=limit))

    assert found is not None
    expected = None if reached is None else TODAY + timedelta(days=reached)
    assert found.reached_on == expected


def test_with_less_than_a_week_the_mean_of_the_days_stands_for_each() -> None:
    daily = {TODAY - timedelta(days=1): 30, TODAY - timedelta(days=2): 10}

    found = forecast(known(daily=daily, since=TODAY - timedelta(days=2)))

    assert found is not None
    assert found.weeks == 0
    assert found.points[0] == Point(TODAY, 10, 20, 30)
    assert found.points[1] == Point(TODAY + timedelta(days=1), 20, 40, 60)


def test_a_day_without_an_entry_counts_in_the_mean() -> None:
    daily = {TODAY - timedelta(days=1): 31, TODAY - timedelta(days=4): 1000}

    found = forecast(known(daily=daily, since=TODAY - timedelta(days=3)))

    assert found is not None
    assert found.points[0] == Point(TODAY, 0, 10, 31)


@pytest.mark.parametrize("days", [7, 13, 14, 27, 28, 400])
def test_compares_as_many_weeks_as_there_are(days: int) -> None:
    found = forecast(known(since=TODAY - timedelta(days=days)))

    assert found is not None
    assert found.weeks == min(4, days // 7)


def test_says_nothing_on_the_first_day_or_after_the_end() -> None:
    assert forecast(known(since=TODAY)) is None
    assert forecast(known(until=TODAY)) is None


@settings(max_examples=300, deadline=None)
@given(
    daily=st.dictionaries(st.integers(0, 60), st.integers(0, 10**12), max_size=40),
    days=st.integers(1, 60),
    spent=st.integers(0, 10**15),
    committed=st.integers(0, 10**15),
    limit=st.integers(0, 10**15),
)
def test_low_is_never_above_likely_nor_likely_above_high(
    daily: dict[int, int], days: int, spent: int, committed: int, limit: int
) -> None:
    found = forecast(
        known(
            daily={TODAY - timedelta(days=ago): micro for ago, micro in daily.items()},
            until=TODAY + timedelta(days=days),
            spent=spent,
            committed=committed,
            limit=limit,
        )
    )

    assert found is not None
    assert len(found.points) == days
    before = spent + committed
    for point in found.points:
        assert before <= point.likely
        assert spent + committed <= point.low <= point.likely <= point.high
        before = point.likely
    reached = [one.day for one in found.points if one.likely >= limit]
    assert (found.reached_on is None) is (not reached and spent + committed < limit)
