"""Rows of a table, remembered from look to look: only what was written since is read again.

PostgreSQL tells of each row which transaction wrote it last. Beside those that differ a part of all
is read anew at each look, changed or not, so that soon nothing depends on these marks.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import BigIntegerField, Func, Model, QuerySet

TURNS_FOR_ALL = 75  # looks in which every row is read anew
ALL_AT_ONCE = 2_000  # changed rows; beyond it all are read, without naming them


def due[K](marks: dict[int, K], known: dict[int, K], turn: int) -> set[int]:
    """Those whose mark is another than it was, and those whose turn it is."""
    changed = {pk for pk, mark in marks.items() if known.get(pk) != mark}
    return changed | {pk for pk in marks if pk % TURNS_FOR_ALL == turn}


class Rows[M: Model]:
    """Of one query; empty at its start. ``look`` is called inside a transaction that sees them."""

    def __init__(self) -> None:
        self._marks: dict[int, int] = {}
        self._rows: dict[int, M] = {}
        self._turn = 0

    def look(self, rows: QuerySet[M]) -> dict[int, M]:
        """By key, in its order. What was not read again is the same object as before; nobody
        changes it."""
        table = rows.model._meta.db_table
        mark = Func(template=f'"{table}".xmin::text::bigint', output_field=BigIntegerField())
        marks = dict(rows.annotate(mark=mark).order_by("pk").values_list("pk", "mark"))
        stale = due(marks, self._marks, self._turn)
        fresh = self._read(rows, stale)
        found = {}
        for pk in marks:
            row = fresh.get(pk) if pk in stale else self._rows[pk]
            if row is not None:  # it may be gone since its mark was read
                found[pk] = row
        self._marks = {pk: mark for pk, mark in marks.items() if pk in found}
        self._rows = found
        self._turn = (self._turn + 1) % TURNS_FOR_ALL
        return found

    def _read(self, rows: QuerySet[M], stale: Collection[int]) -> dict[int, M]:
        if not stale:
            return {}
        some = rows if len(stale) > ALL_AT_ONCE else rows.filter(pk__in=stale)
        return {row.pk: row for row in some}
