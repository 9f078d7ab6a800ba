"""Events that came when nobody knew their hold any more: booked by the room that is left.

``settle`` appends such an event with nothing charged. It is charged here once, by its request
id, before it is inserted; if we die in between, asking again gives the same answer. The caller
holds the cells' watermarks until both is done: a fence counts before or after, never in between.

Only what stands is charged: what Valkey would not take as an amount or a month, and what
PostgreSQL would not take as a row, goes aside before, so that no charge is left without an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from portal.admission import calls, keys
from portal.admission.calls import Command
from portal.admission.sync import Admission
from portal.lib.money import MAX_MICRO_WON
from portal.lib.periods import Month
from portal.usage import events, intake, staging
from portal.usage.decoding import Batch, Record, Row, Spoilt, reason, row_of
from portal.usage.events import UsageEvent
from portal.usage.models import LedgerEntry
from tenants import rls


def charged(batch: Batch, admission: Admission) -> Batch:
    """The batch with late ones charged as far as the budgets have room; those that cannot be
    booked are aside."""
    if not batch.late:
        return batch
    refused = _refused(_of_late_requests(batch.rows))
    gone = {_place(one.record) for one in refused}
    rows = [row for row in batch.rows if _place(row.record) not in gone]
    kept = [Spoilt(as_charged(record, admission), because) for record, because in refused]
    fresh = _fresh(rows)
    found = [_event(rows[place].record) for place in fresh]
    commands = [_command(rows[place], event) for place, event in zip(fresh, found, strict=True)]
    for place, event, paid in zip(fresh, found, admission.many(commands), strict=True):
        rows[place] = row_of(_paid(rows[place].record, event, int(paid)))
    return replace(batch, rows=rows, spoilt=[*batch.spoilt, *kept])


def as_charged(record: Record, admission: Admission) -> Record:
    """With what was charged of a late one until now, by a try that died before it was booked."""
    if not _is_uncharged(record):
        return record
    event = _event(record)
    told = admission.text(keys.late(record.cell, event.request_id))
    return record if told is None else _paid(record, event, int(told))


def _is_uncharged(record: Record) -> bool:
    """Late, and as ``settle`` wrote it: one that was put aside after it was charged tells so."""
    return record.fields.get(b"late") == b"1" and record.fields.get(b"settled_micro") == b"0"


def _place(record: Record) -> tuple[int, str]:
    return record.cell, record.stream_id


def _event(record: Record) -> UsageEvent:
    return events.decode(record.fields[b"event"])


def _of_late_requests(rows: Sequence[Row]) -> list[Row]:
    """Late ones and the other records of their requests: of these the first that stands counts."""
    late = {row.request_id for row in rows if _is_uncharged(row.record)}
    return [row for row in rows if row.request_id in late]


def _refused(rows: Sequence[Row]) -> list[Spoilt]:
    """Those that could not be charged, or not be booked afterwards."""
    chargeable, refused = [], []
    for row in rows:
        try:
            chargeable.append(_uncharged(row))
        except (ValueError, OverflowError) as error:
            refused.append(Spoilt(row.record, reason(error)))
    with rls.everyone(because="intake: which late events can be booked?"):
        known, strangers = intake.known(chargeable)
        return [*refused, *strangers, *staging.refused(known)]


def _uncharged(row: Row) -> Row:
    """As it would be booked with nothing charged: whatever is charged of an amount, the row stands
    or falls alike. ``ValueError`` or ``OverflowError`` where it could not be charged."""
    if not _is_uncharged(row.record):
        return row
    event = _event(row.record)
    _command(row, event)
    return row_of(_paid(row.record, event, 0))._replace(record=row.record)


def _fresh(rows: Sequence[Row]) -> list[int]:
    """Places of the late ones whose insert will be new. Of two records of a request the ledger
    takes the first, so a late one behind another is not charged."""
    seen: set[str] = set()
    fresh: dict[str, int] = {}
    for place, row in enumerate(rows):
        if row.request_id not in seen and _is_uncharged(row.record):
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
    """``ValueError`` or ``OverflowError`` if Valkey would not take the amount or the month."""
    if not 0 <= event.cost_micro <= MAX_MICRO_WON:
        raise ValueError(f"{event.cost_micro} micro-won is not an amount")
    month = Month.of(datetime.fromtimestamp(event.admitted_at_ms / 1000, UTC))
    return calls.charge_late(
        row.record.cell,
        request_id=event.request_id,
        cost_micro=event.cost_micro,
        month=str(month),
        subjects=[event.organization, event.project, event.key],
    )


def _paid(record: Record, event: UsageEvent, micro: int) -> Record:
    fields = record.fields | {
        b"settled_micro": str(micro).encode(),
        b"written_off_micro": str(event.cost_micro - micro).encode(),
    }
    return record._replace(fields=fields)
