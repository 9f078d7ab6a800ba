"""Rows of a table, remembered from look to look: only what was written since is read again.

PostgreSQL tells of each row which transaction wrote it last. Beside those that differ a part of all
is read anew at each look, changed or not, so that soon nothing depends on these marks.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, Func, Model, QuerySet

TURNS_FOR_ALL = 75  # in which every row is read anew: half a minute
TURN_LASTS = timedelta(seconds=0.35)  # a look that comes earlier reads only what was written
ALL_AT_ONCE = 2_000  # changed rows; beyond it all are read, without naming them


class Turns:
    """Whose turn it is to be read anew."""

    def __init__(self) -> None:
        self._turn = 0
        self._at: datetime | None = None

    def next(self, now: datetime) -> int | None:
        """For ``due``; ``None``: nobody's, the last one was a moment ago."""
        if self._at is not None and timedelta(0) <= now - self._at < TURN_LASTS:
            return None
        self._at = now
        self._turn = (self._turn + 1) % TURNS_FOR_ALL
        return self._turn


def due[K](marks: dict[int, K], known: dict[int, K], turn: int | None) -> set[int]:
    """Those whose mark is another than it was, and those whose turn it is."""
    changed = {pk for pk, mark in marks.items() if known.get(pk) != mark}
    if turn is None:
        return changed
    return changed | {pk for pk in marks if pk % TURNS_FOR_ALL == turn}


class Rows[M: Model]:
    """Of one query; empty at its start. ``look`` is called inside a transaction that sees them."""

    def __init__(self) -> None:
        self._marks: dict[int, int] = {}
        self._rows: dict[int, M] = {}

    def look(self, rows: QuerySet[M], turn: int | None) -> dict[int, M]:
        """By key, in its order. What was not read again is the same object as before; nobody
        changes it. ``turn``: of ``Turns``."""
        table = rows.model._meta.db_table
        mark = Func(template=f'"{table}".xmin::text::bigint', output_field=BigIntegerField())
        marks = dict(rows.annotate(mark=mark).order_by("pk").values_list("pk", "mark"))
        stale = due(marks, self._marks, turn)
        fresh = self._read(rows, stale)
        found = {}
        for pk in marks:
            row = fresh.get(pk) if pk in stale else self._rows[pk]
            if row is not None:  # it may be gone since its mark was read
                found[pk] = row
        self._marks = {pk: mark for pk, mark in marks.items() if pk in found}
        self._rows = found
        return found

    def _read(self, rows: QuerySet[M], stale: Collection[int]) -> dict[int, M]:
        if not stale:
            return {}
        some = rows if len(stale) > ALL_AT_ONCE else rows.filter(pk__in=stale)
        return {row.pk: row for row in some}
