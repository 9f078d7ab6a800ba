"""Half-open periods in Asia/Seoul: months, days, hours, overlap. Storage is UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SEOUL = ZoneInfo("Asia/Seoul")
FIRST_YEAR, LAST_YEAR = 2000, 2999  # months that anybody may ask for


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From ``start`` up to, but without, ``end``; both aware datetimes."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end < self.start:
            raise ValueError(f"not a period: {self.start} – {self.end}")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def seconds(self) -> int:
        """Whole seconds; parts of a second are cut off."""
        return int((self.end - self.start).total_seconds())

    def overlap(self, other: Period) -> Period | None:
        """What both have in common, or ``None``."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in Korea, written ``2026-11``."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        local = moment.astimezone(SEOUL)
        return cls(local.year, local.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """``2026-11``; ``ValueError`` for anything else."""
        year, _, month = text.partition("-")
        if len(year) != 4 or len(month) != 2 or not _is_number(year + month):
            raise ValueError(f"{text!r} is not a month such as 2026-11")
        if not FIRST_YEAR <= int(year) <= LAST_YEAR or not 1 <= int(month) <= 12:
            raise ValueError(f"{text!r} lies outside of {FIRST_YEAR} to {LAST_YEAR}")
        return cls(int(year), int(month))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_date(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def next(self) -> Month:
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def previous(self) -> Month:
        return Month(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    @property
    def period(self) -> Period:
        return Period(_midnight(self.first_date), _midnight(self.next.first_date))

    @property
    def days(self) -> int:
        return (self.next.first_date - self.first_date).days


@dataclass(frozen=True, slots=True, order=True)
class Year:
    """A fiscal year, which in Korea is the calendar year: 1 January to 31 December, ``2026``."""

    year: int

    @classmethod
    def of(cls, moment: datetime) -> Year:
        return cls(moment.astimezone(SEOUL).year)

    @classmethod
    def parse(cls, text: str) -> Year:
        """``2026``; ``ValueError`` for anything else."""
        if len(text) != 4 or not _is_number(text):
            raise ValueError(f"{text!r} is not a year such as 2026")
        if not FIRST_YEAR <= int(text) <= LAST_YEAR:
            raise ValueError(f"{text!r} lies outside of {FIRST_YEAR} to {LAST_YEAR}")
        return cls(int(text))

    def __str__(self) -> str:
        return f"{self.year:04d}"

    @property
    def next(self) -> Year:
        return Year(self.year + 1)

    @property
    def previous(self) -> Year:
        return Year(self.year - 1)

    @property
    def first_date(self) -> date:
        return date(self.year, 1, 1)

    @property
    def period(self) -> Period:
        return Period(_midnight(self.first_date), _midnight(self.next.first_date))

    @property
    def months(self) -> list[Month]:
        return [Month(self.year, number) for number in range(1, 13)]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SEOUL).astimezone(UTC)


def seoul_date(moment: datetime) -> date:
    """The business day of a moment."""
    return moment.astimezone(SEOUL).date()


def day_period(day: date) -> Period:
    """One business day."""
    return Period(_midnight(day), _midnight(day + timedelta(days=1)))


def hours(period: Period) -> Iterator[Period]:
    """The period cut at full hours. Korea has no half-hour offset, so UTC hours are the same."""
    start = period.start
    while start < period.end:
        full = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        end = min(full, period.end)
        yield Period(start, end)
        start = end


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """A quarter of a year in Korea, written ``2026-Q4``."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Quarter:
        local = moment.astimezone(SEOUL)
        return cls(local.year, (local.month + 2) // 3)

    @property
    def first_day(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-Q{self.number}"
