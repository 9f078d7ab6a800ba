"""Opening hours of an endpoint: by weekday, holiday and date, in Korea. Pure.

A span belongs to the day on which it begins, also where it ends after midnight; a holiday takes
away what would begin on it. What is written for a date counts instead of weekday and holiday.
In a year that the table of holidays does not know only what is written counts (``covers``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Literal

from portal.lib.periods import SEOUL, Month, Period
from tenants.support.holidays import HOLIDAYS, YEARS

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = {"hours": {day: ["09:00-18:00"] for day in DAYS[:5]}, "holidays": True}
MOST_SPANS = 6  # of one day
MOST_DATES = 60  # exceptions
FURTHEST = timedelta(days=370)  # a change later than that is none
_DAY = 24 * 60
_MINUTE = timedelta(minutes=1)

Fault = Literal["shape", "weekday", "span", "length", "many", "overlap", "date", "dates", "empty"]


class BadSchedule(ValueError):
    """``fault`` says what is wrong, ``where`` on which day or date, ``text`` what stood there."""

    def __init__(self, fault: Fault, where: str = "", text: str = "") -> None:
        super().__init__(fault, where, text)
        self.fault: Fault = fault
        self.where = where
        self.text = text[:40]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Minutes since the midnight of its day. ``end`` is behind ``start``, by at most a day."""

    start: int
    end: int

    def __str__(self) -> str:
        end = self.end if self.end <= _DAY else self.end - _DAY
        return f"{_clock(self.start)}-{_clock(end)}"


@dataclass(frozen=True, slots=True)
class Hours:
    """When something is open. ``week`` begins on Monday."""

    week: tuple[tuple[Span, ...], ...]
    holidays: bool = True  # closed on public holidays
    dates: Mapping[date, tuple[Span, ...]] = field(default_factory=dict)

    def on(self, day: date) -> tuple[Span, ...]:
        """What begins on this day."""
        if day in self.dates:
            return self.dates[day]
        if self.holidays and day in HOLIDAYS:
            return ()
        return self.week[day.weekday()]

    def written(self) -> dict[str, Any]:
        """As ``read`` takes it."""
        return {
            "hours": {
                name: [str(one) for one in spans]
                for name, spans in zip(DAYS, self.week, strict=True)
            },
            "holidays": self.holidays,
            "dates": {
                day.isoformat(): [str(one) for one in spans]
                for day, spans in sorted(self.dates.items())
            },
        }


def read(words: Mapping[str, Any]) -> Hours:
    """``{"hours": {"mon": ["09:00-18:00"], …}, "holidays": true, "dates": {"2026-12-31": []}}``.

    ``BadSchedule`` for anything that is not clear. An end before its beginning is on the next day.
    """
    hours, dates = words.get("hours"), words.get("dates") or {}
    if not isinstance(hours, Mapping) or not isinstance(dates, Mapping):
        raise BadSchedule("shape")
    for name in hours:
        if name not in DAYS:
            raise BadSchedule("weekday", str(name)[:20])
    if len(dates) > MOST_DATES:
        raise BadSchedule("dates", text=str(len(dates)))
    week = tuple(_spans(hours.get(name) or (), name) for name in DAYS)
    found = Hours(
        week,
        bool(words.get("holidays", True)),
        {_date(name): _spans(spans, str(name)) for name, spans in dates.items()},
    )
    if not any(week) and not any(found.dates.values()):
        raise BadSchedule("empty")
    _check_week(week)
    return found


def _spans(texts: Any, where: str) -> tuple[Span, ...]:
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise BadSchedule("shape", where)
    if len(texts) > MOST_SPANS:
        raise BadSchedule("many", where, str(len(texts)))
    found = tuple(sorted(_span(str(text), where) for text in texts))
    for one, other in pairwise(found):
        if other.start < one.end:
            raise BadSchedule("overlap", where, f"{one}, {other}")
    return found


def _span(text: str, where: str) -> Span:
    start, dash, end = text.replace(" ", "").replace("–", "-").partition("-")
    if not dash:
        raise BadSchedule("span", where, text)
    first, last = _minutes(start, where, text), _minutes(end, where, text)
    if first in (last, _DAY):
        raise BadSchedule("length", where, text)
    return Span(first, last if last > first else last + _DAY)


def _minutes(clock: str, where: str, text: str) -> int:
    """``24:00`` is the end of a day."""
    hours, colon, minutes = clock.partition(":")
    whole = len(hours) in (1, 2) and len(minutes) == 2 and (hours + minutes).isascii()
    if not colon or not whole or not (hours + minutes).isdigit():
        raise BadSchedule("span", where, text)
    found = int(hours) * 60 + int(minutes)
    if found > _DAY or int(minutes) > 59:
        raise BadSchedule("span", where, text)
    return found


def _date(name: Any) -> date:
    try:
        return date.fromisoformat(str(name))
    except ValueError:
        raise BadSchedule("date", str(name)[:20]) from None


def _check_week(week: Sequence[tuple[Span, ...]]) -> None:
    """A span over midnight must not run into the next day's first one."""
    for number, spans in enumerate(week):
        after = week[(number + 1) % 7]
        if spans and after and spans[-1].end - _DAY > after[0].start:
            day = DAYS[(number + 1) % 7]
            raise BadSchedule("overlap", day, f"{spans[-1]}, {after[0]}")


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def open_periods(hours: Hours, start: datetime, end: datetime) -> Iterator[Period]:
    """When it is open between the two, joined where they touch and cut at both ends; UTC."""
    begin: datetime | None = None
    until = start
    for opens, closes in _openings(hours, start, end):
        if begin is not None and opens > until:
            yield Period(begin, until)
            begin = None
        if begin is None:
            begin, until = max(opens, start), max(closes, start)
        until = max(until, closes)
        if begin >= until:
            begin = None
    if begin is not None and begin < min(until, end):
        yield Period(begin, min(until, end))


def _openings(hours: Hours, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """In the order of their beginnings, from the day before ``start``."""
    day = start.astimezone(SEOUL).date() - timedelta(days=1)
    while (midnight := datetime.combine(day, time(), SEOUL).astimezone(UTC)) < end:
        for span in hours.on(day):
            opens = midnight + span.start * _MINUTE
            if opens >= end:
                return
            yield opens, midnight + span.end * _MINUTE
        day += timedelta(days=1)


def is_open(hours: Hours, moment: datetime) -> bool:
    """At this moment."""
    found = open_periods(hours, moment, moment + timedelta(microseconds=1))
    return next(found, None) is not None


def next_change(hours: Hours, moment: datetime) -> datetime | None:
    """When it closes, if it is open, else when it opens; ``None``: not within ``FURTHEST``."""
    end = moment + FURTHEST
    for one in open_periods(hours, moment, end):
        if one.start > moment:
            return one.start
        return one.end if one.end < end else None
    return None


def next_opening(hours: Hours, moment: datetime) -> datetime | None:
    """The next moment at which it opens, now closed or not."""
    for one in open_periods(hours, moment, moment + FURTHEST):
        if one.start > moment:
            return one.start
    return None


def open_seconds(hours: Hours, start: datetime, end: datetime) -> int:
    """Rounded up for each opening, so that nothing is estimated too low."""
    return sum(
        -int(-(one.end - one.start).total_seconds() // 1) for one in open_periods(hours, start, end)
    )


def seconds_left(hours: Hours, *, runs: bool, now: datetime, end: datetime) -> int:
    """How long it runs until ``end``: as it is now until the next change, then by the hours."""
    change = min(next_change(hours, now) or end, end)
    rest = -int(-(change - now).total_seconds() // 1) if runs else 0
    return rest + open_seconds(hours, change, end)


def most_in_a_month(hours: Hours, now: datetime) -> int:
    """Open seconds of the longest month of the year that begins with this one."""
    month, most = Month.of(now), 0
    for _each in range(12):
        most = max(most, open_seconds(hours, month.period.start, month.period.end))
        month = month.next
    return most


def covers(hours: Hours, now: datetime) -> bool:
    """Whether the holidays of the year are known, or do not matter."""
    return not hours.holidays or now.astimezone(SEOUL).year in YEARS
