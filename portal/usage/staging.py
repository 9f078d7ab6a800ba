"""Rows into the ledger: COPY into a table of the connection's own, then what is new of it.

``ON CONFLICT DO NOTHING`` makes it once: against the ledger, and within the batch, where the
first of two wins. A row that PostgreSQL refuses stops nobody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg
from django.db import DataError, IntegrityError, connection, transaction

from portal.usage.decoding import STAGED, Row, Spoilt, reason

REFUSALS = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError)

_MOMENTS = {
    "admitted_ms": "admitted_at",
    "first_byte_ms": "first_byte_at",
    "ended_ms": "ended_at",
}
_INTO = ", ".join(_MOMENTS.get(name, name) for name in STAGED)
_FROM = ", ".join(
    f"to_timestamp({name}::float8 / 1000)" if name in _MOMENTS else name for name in STAGED
)
_TABLE = ", ".join(f"{name} {kind}" for name, kind in STAGED.items())
_CREATE = f"CREATE TEMP TABLE IF NOT EXISTS ledger_staging ({_TABLE}) ON COMMIT DELETE ROWS"
_COPY = f"COPY ledger_staging ({', '.join(STAGED)}) FROM STDIN"
_INSERT = f"""
    WITH fresh AS (
      INSERT INTO usage_ledgerentry ({_INTO}) SELECT {_FROM} FROM ledger_staging
      ON CONFLICT DO NOTHING RETURNING organization_id
    ) SELECT organization_id, count(*) FROM fresh GROUP BY 1
"""  # noqa: S608 - the columns are ours
_RESOLVE = """
    UPDATE usage_orphanedevent o SET resolved_at = %s FROM ledger_staging s
    WHERE o.request_id = s.request_id AND o.resolved_at IS NULL
"""


class Staged(NamedTuple):
    """A row with its organization's number."""

    row: Row
    organization_id: int


def insert(rows: Sequence[Staged], now: datetime) -> tuple[Counter[int], list[Spoilt]]:
    """All rows at once; where PostgreSQL refuses one, the halves, so that it stops nobody else.

    New rows by organization's number; the refused ones come back with the reason.
    """

    def deed(some: Sequence[Staged]) -> Counter[int]:
        new = _insert(some)
        with connection.cursor() as cursor:
            cursor.execute(_RESOLVE, [now])
        return new

    return _in_halves(rows, deed)


def refused(rows: Sequence[Staged]) -> list[Spoilt]:
    """Those that PostgreSQL would refuse. It is asked by inserting them, and nothing is kept."""
    with transaction.atomic():
        _, found = _in_halves(rows, _insert)
        transaction.set_rollback(True)
    return found


def _in_halves(
    rows: Sequence[Staged], deed: Callable[[Sequence[Staged]], Counter[int]]
) -> tuple[Counter[int], list[Spoilt]]:
    if not rows:
        return Counter(), []
    try:
        with transaction.atomic():
            return deed(rows), []
    except REFUSALS as error:
        if len(rows) == 1:
            return Counter(), [Spoilt(rows[0].row.record, reason(error))]
    half = len(rows) // 2
    new, refused = _in_halves(rows[:half], deed)
    more, too = _in_halves(rows[half:], deed)
    return new + more, refused + too


def _insert(rows: Sequence[Staged]) -> Counter[int]:
    lines = "".join([f"{organization}\t{row.line}" for row, organization in rows])
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
        cursor.execute("DELETE FROM ledger_staging")
        with cursor.copy(_COPY) as copy:
            copy.write(lines)
        cursor.execute(_INSERT)
        return Counter(dict(cursor.fetchall()))
