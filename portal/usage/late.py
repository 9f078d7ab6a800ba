"""Events that came when nobody knew their hold any more: booked by the room that is left.

``settle`` appends such an event with nothing charged. It is charged here once, by its request
id, before it is inserted; if we die in between, asking again gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from portal.admission.sync import Admission
from portal.lib import ids
from portal.lib.periods import Month
from portal.usage import events
from portal.usage.intake import Record
from portal.usage.models import LedgerEntry
from tenants import rls


def charged(records: Sequence[Record], admission: Admission) -> list[Record]:
    """The records with late ones charged as far as the budgets have room."""
    return [
        _charge(record, admission) if record.fields.get(b"late") == b"1" else record
        for record in records
    ]


def _charge(record: Record, admission: Admission) -> Record:
    try:
        event = events.decode(record.fields[b"event"])
        request_id = UUID(event.request_id)
        day = ids.request_id_time(event.request_id).date()
    except (msgspec.MsgspecError, KeyError, ValueError):
        return record  # intake puts it aside
    with rls.everyone(because="intake: is this event in the ledger already?"):
        if LedgerEntry.objects.filter(day=day, request_id=request_id).exists():
            return record  # its insert will not be new
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
    return Record(record.cell, record.stream_id, fields)
