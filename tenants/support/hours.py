"""Business hours of the operator: Monday to Friday, 09:00 to 18:00 in Korea, no holidays. Pure.

In a year that the table of holidays does not know, only weekends are free; ``covers`` says so,
and whoever shows a moment of such a year says it too.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from portal.lib.periods import SEOUL
from tenants.support.holidays import HOLIDAYS, YEARS

OPENS, CLOSES = time(9), time(18)
A_DAY = timedelta(hours=9)  # of business hours
_FURTHEST = timedelta(days=366)  # nobody is promised an answer beyond


def is_open_on(day: date) -> bool:
    """Whether somebody answers on this day."""
    return day.weekday() < 5 and day not in HOLIDAYS


def covers(*moments: datetime) -> bool:
    """Whether the holidays of all these moments' years are known."""
    return all(moment.astimezone(SEOUL).year in YEARS for moment in moments)


def due(since: datetime, within: timedelta) -> datetime:
    """The moment (UTC) at which ``within`` of business hours have passed since ``since``.

    What would end exactly at 18:00 ends there, not on the next morning.
    ``ValueError`` for nothing, or more than a year's worth.
    """
    if not timedelta(0) < within <= _FURTHEST:
        raise ValueError(f"no time to answer in: {within}")
    local, left = since.astimezone(SEOUL), within
    day = local.date()
    while True:
        opens = datetime.combine(day, OPENS, SEOUL)
        closes = datetime.combine(day, CLOSES, SEOUL)
        begin = max(local, opens)
        if is_open_on(day) and begin < closes:
            if left <= closes - begin:
                return (begin + left).astimezone(UTC)
            left -= closes - begin
        day += timedelta(days=1)
