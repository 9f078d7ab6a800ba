"""The ledger's months: made ahead, so that an event always finds its own.

``usage_ledger_month`` makes one; only the tables' owner may, and the function runs as the
owner. An event of a month that nobody made goes into ``usage_ledger_rest`` and is found all the
same; a month whose rows are there already stays there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import structlog
from django.db import DatabaseError, connection

from tenants import rls

log = structlog.get_logger()

AHEAD = 3  # months after this one


def months(now: datetime) -> list[date]:
    """First days of this month (UTC) and those after it that must be there."""
    today = now.astimezone(UTC).date()
    numbers = range(today.year * 12 + today.month - 1, today.year * 12 + today.month + AHEAD)
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]


def make_ahead(now: datetime) -> None:
    """Make what is missing. A table that is busy now is asked again with the next renewal."""
    for month in months(now):
        if month in _made:
            continue
        try:
            with rls.everyone(because="intake: months of the ledger"):
                if _make(month):
                    log.info("ledger.month_made", month=f"{month:%Y-%m}")
        except DatabaseError as error:
            log.warning("ledger.month_not_made", month=f"{month:%Y-%m}", error=str(error)[:200])
            return
        _made.add(month)


_made: set[date] = set()


def _make(month: date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT usage_ledger_month(%s)", [month])
        return bool(cursor.fetchone()[0])
