"""Events that came when nobody knew their hold any more: booked by the room that is left.

``settle`` appends such an event with nothing charged. It is charged here once, by its request
id, before it is inserted; if we die in between, asking again gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from portal.admission.sync import Admission
from portal.lib.periods import Month
from portal.usage import events
from portal.usage.decoding import Batch, Row, row_of
from portal.usage.models import LedgerEntry
from tenants import rls


def charged(batch: Batch, admission: Admission) -> Batch:
    """The batch with late ones charged as far as the budgets have room."""
    if not batch.late:
        return batch
    known = _in_ledger([row for row in batch.rows if _is_late(row)])
    rows = [
        _charge(row, admission) if _is_late(row) and row.request_id not in known else row
        for row in batch.rows
    ]
    return replace(batch, rows=rows)


def _is_late(row: Row) -> bool:
    return row.record.fields[b"late"] == b"1"


def _in_ledger(rows: Sequence[Row]) -> set[str]:
    """Those whose insert will not be new."""
    with rls.everyone(because="intake: which events are in the ledger already?"):
        found = LedgerEntry.objects.filter(
            day__in={row.day for row in rows}, request_id__in=[UUID(one.request_id) for one in rows]
        )
        return {str(one) for one in found.values_list("request_id", flat=True)}


def _charge(row: Row, admission: Admission) -> Row:
    record = row.record
    event = events.decode(record.fields[b"event"])
    month = Month.of(datetime.fromtimestamp(event.admitted_at_ms / 1000, UTC))
    paid = admission.charge_late(
        record.cell,
        request_id=event.request_id,
        cost_micro=event.cost_micro,
        month=str(month),
        subjects=[event.organization, event.project, event.key],
    )
    fields = record.fields | {
        b"settled_micro": str(paid).encode(),
        b"written_off_micro": str(event.cost_micro - paid).encode(),
    }
    return row_of(record._replace(fields=fields))
