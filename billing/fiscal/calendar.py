"""The fiscal year of public bodies in Korea: 1 January to 31 December, Seoul. Pure.

국가재정법 제2조, 지방회계법 제6조: the year is the calendar year. 지방회계법 제7조: the books of a
year end with it; what was committed within the year may still be paid until 20 January.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from portal.lib.periods import SEOUL, Period, day_period

QUARTERS = (1, 2, 3, 4)
FIRST_YEAR, LAST_YEAR = 2000, 2999


class Phase(StrEnum):
    """Where a fiscal year stands on a day."""

    PLANNED = "planned"  # 편성: not decided yet
    OPEN = "open"
    SETTLING = "settling"  # over; what was committed is still paid (출납정리)
    OVER = "over"  # nothing more may be paid; waits for its close
    CLOSED = "closed"


def year_of(moment: datetime) -> int:
    """The fiscal year that a moment belongs to."""
    return moment.astimezone(SEOUL).year


def first_day(year: int, quarter: int = 1) -> date:
    """The first day of a quarter."""
    return date(year, 3 * quarter - 2, 1)


def last_day(year: int) -> date:
    return date(year, 12, 31)


def last_payment_day(year: int) -> date:
    """Until when commitments of the year may be paid (지방회계법 제7조)."""
    return date(year + 1, 1, 20)


def quarter_of(day: date) -> int:
    return (day.month + 2) // 3


def period(year: int) -> Period:
    """The year as moments: from midnight in Seoul to the next year's, half open."""
    return Period(
        day_period(first_day(year)).start,
        day_period(last_day(year)).end,
    )


def phase(year: int, *, decided: bool, closed: bool, today: date) -> Phase:
    """What the state that is kept and the day make together."""
    if closed:
        return Phase.CLOSED
    if not decided:
        return Phase.PLANNED
    if today <= last_day(year):
        return Phase.OPEN
    return Phase.SETTLING if today <= last_payment_day(year) else Phase.OVER
