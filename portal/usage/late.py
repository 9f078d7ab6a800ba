"""Events that came when nobody knew their hold any more: booked by the room that is left.

``settle`` appends such an event with nothing charged. It is charged here once, by its request
id, before it is inserted; if we die in between, asking again gives the same answer. The caller
holds the cells' watermarks until both is done: a fence counts before or after, never in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from portal.admission import calls
from portal.admission.calls import Command
from portal.admission.sync import Admission
from portal.lib.periods import Month
from portal.usage import events
from portal.usage.decoding import Batch, Row, row_of
from portal.usage.events import UsageEvent
from portal.usage.models import LedgerEntry
from tenants import rls


def charged(batch: Batch, admission: Admission) -> Batch:
    """The batch with late ones charged as far as the budgets have room."""
    fresh = _fresh(batch.rows) if batch.late else []
    if not fresh:
        return batch
    rows = list(batch.rows)
    found = [events.decode(rows[place].record.fields[b"event"]) for place in fresh]
    commands = [_command(rows[place], event) for place, event in zip(fresh, found, strict=True)]
    for place, event, paid in zip(fresh, found, admission.many(commands), strict=True):
        rows[place] = _paid(rows[place], event, int(paid))
    return replace(batch, rows=rows)


def _fresh(rows: Sequence[Row]) -> list[int]:
    """Places of the late ones whose insert will be new. Of two records of a request the ledger
    takes the first, so a late one behind another is not charged."""
    seen: set[str] = set()
    fresh: dict[str, int] = {}
    for place, row in enumerate(rows):
        if row.request_id not in seen and row.record.fields[b"late"] == b"1":
            fresh[row.request_id] = place
        seen.add(row.request_id)
    known = _in_ledger([rows[place] for place in fresh.values()])
    return [place for request_id, place in fresh.items() if request_id not in known]


def _in_ledger(rows: Sequence[Row]) -> set[str]:
    """Those whose insert will not be new."""
    with rls.everyone(because="intake: which events are in the ledger already?"):
        found = LedgerEntry.objects.filter(
            day__in={row.day for row in rows}, request_id__in=[UUID(one.request_id) for one in rows]
        )
        return {str(one) for one in found.values_list("request_id", flat=True)}


def _command(row: Row, event: UsageEvent) -> Command:
    month = Month.of(datetime.fromtimestamp(event.admitted_at_ms / 1000, UTC))
    return calls.charge_late(
        row.record.cell,
        request_id=event.request_id,
        cost_micro=event.cost_micro,
        month=str(month),
        subjects=[event.organization, event.project, event.key],
    )


def _paid(row: Row, event: UsageEvent, micro: int) -> Row:
    fields = row.record.fields | {
        b"settled_micro": str(micro).encode(),
        b"written_off_micro": str(event.cost_micro - micro).encode(),
    }
    return row_of(row.record._replace(fields=fields))
