"""What use has cost, kept day by day: the books between the usage ledgers and invoices.

A run compares what was used on a day (``portal.usage``) with what is accrued of it, and adds the
difference: so it may be repeated, broken off, or run twice at once, and late usage becomes a
further row of its own day. It looks only at days that something was recorded of since the last
run, or that are over since then; ``replay`` looks at all of them and finds nothing.

Test keys and requests whose cards are paid by the hour cost nothing. What was written off is
accrued and taken back as a loss. What has no price is kept aside (``Unrated``), stops no other
organization, and is tried again by each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import connection

from billing import rating_sql
from billing.models import RatingMark
from billing.rating_sql import PERIOD, TOUCHED, Scope
from portal.lib.periods import Month, day_period, seoul_date
from tenants import rls
from tenants.models import Organization

log = structlog.get_logger()

_LOCK = 0x61636372  # advisory: all organizations at once, or single ones beside each other
_OF_ONE = 0x6163636F  # advisory: one organization, once
OVERLAP = timedelta(minutes=1)  # looked at again: between a clock's tick and its report
WORK_MEMORY = "128MB"  # of the server, for the sums of one run


@dataclass(frozen=True, slots=True)
class Rated:
    """What a run added: accruals, and uses that it could not rate."""

    accruals: int = 0
    unrated: int = 0

    def __add__(self, other: Rated) -> Rated:
        return Rated(self.accruals + other.accruals, self.unrated + other.unrated)


def accrue(*, until: datetime, now: datetime) -> Rated:
    """Accrue what was recorded since the last run, of days that began before ``until``.

    The first run ever looks at everything, month by month. Safe beside another one.
    """
    horizon = _horizon()
    mark = _mark()
    if mark is None:
        replayed = sum((one for _month, one in replay(until=until, now=now)), Rated())
        _move_mark(horizon, until, now)
        return replayed
    with rls.everyone(because="rating: the books of all organizations"):
        _alone()
        mark = _mark() or mark
        # No earlier than the run before: what it has not looked at again would be passed over.
        found = _touched(mark, max(_end_day(until), mark.day), now, {})
        _move_mark(horizon, until, now)
    return found


def accrue_organization(organization: Organization, *, until: datetime, now: datetime) -> Rated:
    """The same for one organization, before it is billed; in the caller's transaction if there is
    one. Waits for a run for everybody."""
    with rls.tenant(organization.pk):
        _run("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])
        _run("SELECT pg_advisory_xact_lock(%s, %s)", [_OF_ONE, organization.pk % 2**31])
        mark, own = _mark(), {"organization": organization.pk}
        if mark is not None:
            return _touched(mark, _end_day(until), now, own)
        return _compare(PERIOD, _period(_FIRST_DAY, _end_day(until)) | own, now)


def replay(*, until: datetime, now: datetime) -> Iterator[tuple[Month, Rated]]:
    """Compare every month that has any use, each in a transaction of its own. Where rating was
    complete, nothing is added."""
    end = _end_day(until)
    for month in _months(end):
        with rls.everyone(because="rating: the books of all organizations"):
            _alone()
            last = min(month.next.first_date, end)
            found = _compare(PERIOD, _period(month.first_date, last), now)
        yield month, found


_FIRST_DAY = date(2000, 1, 1)


def _end_day(until: datetime) -> date:
    """The first business day that did not begin before ``until``."""
    return seoul_date(until - timedelta(microseconds=1)) + timedelta(days=1)


def _period(first: date, end: date) -> dict[str, Any]:
    return {
        "start": day_period(first).start,
        "end": day_period(end).start,
        "start_day": first,
        "end_day": end,
    }


def _touched(mark: RatingMark, end: date, now: datetime, own: dict[str, Any]) -> Rated:
    """Days with news before ``end``. ``own`` limits them to one organization."""
    words = own | {
        "recorded": mark.recorded_at - OVERLAP,
        "reached": day_period(mark.day).start,
        "reached_day": mark.day - timedelta(days=2),
        "end": day_period(end).start,
        "end_day": end,
    }
    with _temporary("rating_days", rating_sql.days(of_one=bool(own)), words) as count:
        return _compare(TOUCHED, words, now) if count else Rated()


def _compare(scope: Scope, words: dict[str, Any], now: datetime) -> Rated:
    """Add what the accruals of the scope lack."""
    of_one = "organization" in words
    words = words | {"now": now}
    with _temporary("rating_used", rating_sql.used(scope, of_one=of_one), words):
        _run(rating_sql.LINES)
        accruals = _run(rating_sql.append(scope, of_one=of_one), words)
        solved = _run(rating_sql.SOLVED)
        unrated = _run(rating_sql.UNRATED, words)
    if unrated:
        log.error("rating.unrated", count=unrated)
    if accruals or solved:
        log.info("rating.accrued", accruals=accruals, solved=solved)
    return Rated(accruals, unrated)


@contextmanager
def _temporary(name: str, statement: str, words: dict[str, Any]) -> Iterator[int]:
    """A table of this run's own, with its numbers for the planner; how many rows it has."""
    _run(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
    count = _run(statement, words)
    _run(f"ANALYZE {name}")
    yield count
    _run(f"DROP TABLE {name}")


def _alone() -> None:
    """Nobody else adds accruals until the end of the caller's transaction."""
    _run("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _run(statement: str, words: Any = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, words)
        return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where accruals and use disagree in one organization. Amounts are exact micro-won."""

    organization_id: int
    cells: int  # days × projects × price lines
    used_micro: Decimal
    accrued_micro: Decimal
    first: date
    last: date


def differences(*, until: datetime, organization: Organization | None = None) -> list[Difference]:
    """Compare all that was used on days that began before ``until``; adds nothing."""
    end = _end_day(until)
    own = {"organization": organization.pk} if organization else {}
    found: list[Difference] = []
    for month in _months(end):
        words = _period(month.first_date, min(month.next.first_date, end)) | own
        with rls.everyone(because="books: does the use of all organizations agree?"):
            _alone()
            found += _differing(words)
    return found


def _differing(words: dict[str, Any]) -> list[Difference]:
    of_one = "organization" in words
    with (
        _temporary("rating_used", rating_sql.used(PERIOD, of_one=of_one), words),
        connection.cursor() as cursor,
    ):
        cursor.execute(rating_sql.differences(of_one=of_one), words)
        return [Difference(*row) for row in cursor.fetchall()]


# ─── how far rating has come ───────────────────────────────────────────────────────────────────


def _mark() -> RatingMark | None:
    return RatingMark.objects.first()


def _move_mark(horizon: datetime | None, until: datetime, now: datetime) -> None:
    """Never back. Without a horizon the next run looks at the same once more."""
    if horizon is None:
        return
    mark, end = _mark(), _end_day(until)
    if mark is not None:
        horizon, end = max(horizon, mark.recorded_at), max(end, mark.day)
    RatingMark.objects.update_or_create(
        pk=1, defaults={"recorded_at": horizon, "day": end, "rated_at": now}
    )


def _horizon() -> datetime | None:
    """All that was recorded before this moment is there for whoever looks now.

    A row is recorded when its transaction begins and seen when it ends: so this is the beginning
    of the oldest transaction of the programs' role that still runs. ``None`` where that cannot be
    seen, under another role.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN current_user = session_user THEN least(now(), ("
            "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() "
            "AND usename = session_user)) END"
        )
        found: datetime | None = cursor.fetchone()[0]
    return found


def _months(end: date) -> list[Month]:
    """Months with any use, the oldest first."""
    with (
        rls.everyone(because="rating: since when is there any use?"),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT least((SELECT min(day) FROM usage_ledgerentry), "
            "(SELECT min(started_at)::date FROM usage_cardtime), "
            "(SELECT min(started_at)::date FROM usage_storedvolume))"
        )
        first: date | None = cursor.fetchone()[0]
    found: list[Month] = []
    month = Month(first.year, first.month) if first else Month(end.year, end.month)
    while month.first_date < end:
        found.append(month)
        month = month.next
    return found
