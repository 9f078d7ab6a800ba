"""When a month is looked at and issued. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.lib.periods import Month, day_period


def review_until(month: Month, day: int) -> datetime:
    """The end of the ``day``-th of the next month in Korea; the end of the month itself for 0."""
    first = month.next.first_date
    return day_period(first + timedelta(days=day)).start
