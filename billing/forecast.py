"""What a budget will have used at the end of its period, and when it is used up. Pure.

The method, which is shown beside every forecast: a day to come is expected to cost the median of
the same weekdays of the last four weeks, at least the lowest and at most the highest of them; what
orders have set aside is counted in full, and endpoints that run now go on. With less than a week of
days behind, there is no weekday to compare with: the mean of the days stands for each.
Amounts are micro-won, days are business days in Korea.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median_low

WEEKS = 4
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a budget on a day. ``daily``: spent by day, as far back as anything is known
    (``since``); days without an entry cost nothing. ``spent`` and ``committed`` as counted now;
    ``cards_a_day``: of running endpoints, for days that nothing is set aside for yet
    (``set_aside_until``)."""

    today: date
    until: date  # the first day of the next period
    since: date  # the first day that daily tells of
    daily: Mapping[date, int]
    spent: int
    committed: int
    limit: int
    cards_a_day: int = 0
    set_aside_until: date = date.max


@dataclass(frozen=True, slots=True)
class Point:
    """What will be used at the end of a day."""

    day: date
    low: int
    likely: int
    high: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """``points`` from today on; ``reached_on``: the day on which the limit is likely reached;
    ``weeks`` of history were compared, 0: only a mean of days."""

    points: tuple[Point, ...]
    reached_on: date | None
    weeks: int

    @property
    def end(self) -> Point:
        return self.points[-1]


@dataclass(frozen=True, slots=True)
class _Expected:
    low: int
    likely: int
    high: int


def forecast(known: Known) -> Forecast | None:
    """``None`` where nothing can be said: the period is over, or no whole day is behind."""
    if known.until <= known.today or known.since >= known.today:
        return None
    points: list[Point] = []
    low = likely = high = known.spent + known.committed
    reached: date | None = None
    day = known.today
    while day < known.until:
        expected = _rest_of_today(known) if day == known.today else _expected(known, day)
        cards = known.cards_a_day if day >= known.set_aside_until else 0
        low, high = low + expected.low + cards, high + expected.high + cards
        likely += expected.likely + cards
        if reached is None and likely >= known.limit:
            reached = day
        points.append(Point(day, low, likely, high))
        day += _DAY
    return Forecast(tuple(points), reached, _weeks(known))


def _weeks(known: Known) -> int:
    return min(WEEKS, (known.today - known.since) // _WEEK)


def _expected(known: Known, day: date) -> _Expected:
    """A whole day, by the last of its weekdays before today."""
    weeks = _weeks(known)
    if not weeks:
        whole = [known.daily.get(one, 0) for one in _days(known.since, known.today)]
        return _Expected(min(whole), sum(whole) // len(whole), max(whole))
    last = known.today - timedelta(days=(known.today.weekday() - day.weekday() - 1) % 7 + 1)
    same = [known.daily.get(last - week * _WEEK, 0) for week in range(weeks)]
    return _Expected(min(same), _median(same), max(same))


def _median(values: list[int]) -> int:
    """Of an even number the mean of the two in the middle, cut to whole micro-won."""
    ordered = sorted(values)
    return (median_low(ordered) + ordered[len(ordered) // 2]) // 2


def _rest_of_today(known: Known) -> _Expected:
    """What is still to come of today: no less than nothing."""
    whole, already = _expected(known, known.today), known.daily.get(known.today, 0)
    return _Expected(
        max(0, whole.low - already), max(0, whole.likely - already), max(0, whole.high - already)
    )


def _days(start: date, end: date) -> list[date]:
    return [start + number * _DAY for number in range((end - start).days)]
