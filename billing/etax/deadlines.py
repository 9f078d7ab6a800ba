"""By when an e-tax invoice is issued and sent, and what is late. Pure.

Source: 부가가치세법 제32조·제34조, 제60조 and its 시행령 제68조: issued by the 10th of the month
after the supply, sent to the tax service by the day after the issue; a day that is no business day
moves to the next one (국세기본법 제5조).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from billing.etax.amendments import Code
from portal.lib.periods import Month
from tenants.support.holidays import HOLIDAYS, YEARS

DAY = 10  # of the next month
SOON = timedelta(days=3)
LATE_PERCENT = 1  # of the supply value, issued after the day but before the period's return
_RETURN_DAY = 25  # of the month after a half-year: the period's return


def is_business_day(day: date) -> bool:
    """Monday to Friday, no public holiday."""
    return day.weekday() < 5 and day not in HOLIDAYS


def is_known(day: date) -> bool:
    """Whether the table has the holidays of the year; else only weekends are left out."""
    return day.year in YEARS


def next_business_day(day: date) -> date:
    """The day itself if it is one, else the first after it."""
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def issue_by(write_date: date) -> date:
    """The last day on which a document with this 작성일자 is in time."""
    following = Month(write_date.year, write_date.month).next
    return next_business_day(date(following.year, following.month, DAY))


def amend_by(code: Code, *, write_date: date, event: date) -> date:
    """The last day for an amendment. ``event``: when it changed, or the mistake was noticed.

    Codes 01 and 06 are issued when the mistake is noticed: on the day itself. 05 within the
    period's return. The others like an invoice.
    """
    if code in {Code.WRONG_PARTICULARS, Code.ISSUED_TWICE}:
        return next_business_day(event)
    if code is Code.LETTER_OF_CREDIT:
        return next_business_day(return_day(write_date))
    return issue_by(event)


def return_day(day: date) -> date:
    """The 25th after the half-year in which the day lies."""
    return date(day.year, 7, _RETURN_DAY) if day.month <= 6 else date(day.year + 1, 1, _RETURN_DAY)


def send_by(issued: date) -> date:
    """The last day on which the tax service must have it."""
    return next_business_day(issued + timedelta(days=1))


class Urgency(StrEnum):
    """How a document stands to its deadline."""

    LATE = "late"
    SOON = "soon"
    FINE = "fine"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Standing:
    """``won`` is what being late costs at least (1 % of the supply value)."""

    urgency: Urgency
    due: date
    won: int = 0
    holidays_known: bool = True


def standing(*, due: date, today: date, supply_won: int, done: bool) -> Standing:
    """How urgent it is today."""
    known = is_known(due)
    if done:
        return Standing(Urgency.DONE, due, 0, known)
    if today > due:
        return Standing(Urgency.LATE, due, abs(supply_won) * LATE_PERCENT // 100, known)
    return Standing(Urgency.SOON if due - today <= SOON else Urgency.FINE, due, 0, known)
