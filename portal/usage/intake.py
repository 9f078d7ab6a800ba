"""Usage events → ledger entries, exactly once.

The position in each cell's stream is kept in PostgreSQL and moves in the same transaction as
the rows, so that there is nothing to acknowledge twice: a batch is either in the ledger and
behind the watermark, or neither. Rows are unique by request id besides. A stream is trimmed
only below a committed watermark. A record that cannot be read goes aside with its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import structlog
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Q

from portal.lib import ids
from portal.usage import events
from portal.usage.models import LedgerEntry, OrphanedEvent, PoisonRecord, Watermark
from tenants import rls
from tenants.models import Organization

log = structlog.get_logger()

LEASE = timedelta(seconds=30)
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a cell's stream as read: its id and its fields as bytes."""

    cell: int
    stream_id: str
    fields: dict[bytes, bytes]


class LeaseLost(Exception):
    """Another intake owns the cell; nothing of this batch was written."""


def take_cells(*, owner: str, token: UUID, now: datetime) -> list[int]:
    """Own every cell that is free or already ours; the lease is renewed by taking again."""
    with rls.everyone(because="intake: leases of cells"):
        if Watermark.objects.count() < ids.CELLS:
            Watermark.objects.bulk_create(
                [Watermark(cell=cell) for cell in range(ids.CELLS)], ignore_conflicts=True
            )
        free = Q(lease_until=None) | Q(lease_until__lt=now) | Q(lease_token=token)
        Watermark.objects.filter(free).update(
            lease_owner=owner[:80], lease_token=token, lease_until=now + LEASE
        )
        return list(
            Watermark.objects.filter(lease_token=token)
            .values_list("cell", flat=True)
            .order_by("cell")
        )


def give_back_cells(token: UUID) -> None:
    """End our leases, so that the next intake need not wait for them."""
    with rls.everyone(because="intake: end of leases"):
        Watermark.objects.filter(lease_token=token).update(lease_token=None, lease_until=None)


def watermarks(cells: Iterable[int]) -> dict[int, str]:
    """Where to read on, by cell."""
    with rls.everyone(because="intake: watermarks"):
        rows = Watermark.objects.filter(cell__in=list(cells))
        return dict(rows.values_list("cell", "stream_id"))


def rewind(cell: int, *, token: UUID) -> None:
    """Read a cell from its beginning: its stream is a new one with smaller ids.

    Harmless: what is in the ledger already conflicts and is left alone.
    """
    with rls.everyone(because="intake: rewind"):
        Watermark.objects.filter(cell=cell, lease_token=token).update(stream_id="0-0")


def book(cell: int, records: Sequence[Record], *, token: UUID, now: datetime) -> int:
    """Write one cell's batch and move its watermark, in one transaction. New rows are counted.

    ``LeaseLost`` if the cell is no longer ours: then nothing was written.
    """
    rows: list[dict[str, Any]] = []
    poison: list[PoisonRecord] = []
    for record in records:
        try:
            rows.append(_row(record))
        except (msgspec.MsgspecError, KeyError, ValueError, OverflowError) as error:
            poison.append(_poison(record, error, now))
    with transaction.atomic(), rls.everyone(because="intake: a cell holds many organizations"):
        rows, strangers = _known(rows)
        poison += [_poison(_by_id(records, row), ValueError("unknown"), now) for row in strangers]
        new, refused = _insert_each(rows)
        poison += [_poison(_by_id(records, row), error, now) for row, error in refused]
        PoisonRecord.objects.bulk_create(poison, ignore_conflicts=True)
        OrphanedEvent.objects.filter(request_id__in=[row["request_id"] for row in rows]).update(
            resolved_at=now
        )
        moved = Watermark.objects.filter(cell=cell, lease_token=token).update(
            stream_id=records[-1].stream_id
        )
        if not moved:
            raise LeaseLost(f"c{cell}")
    if poison:
        log.error("intake.poison", cell=cell, count=len(poison))
    return new


def _row(record: Record) -> dict[str, Any]:
    event = events.decode(record.fields[b"event"])
    settled = int(record.fields[b"settled_micro"])
    written_off = int(record.fields[b"written_off_micro"])
    return {
        "stream_id": record.stream_id,
        "day": ids.request_id_time(event.request_id).date(),
        "request_id": UUID(event.request_id),
        "organization": event.organization,
        "project": event.project,
        "key": event.key,
        "endpoint": event.endpoint,
        "route": event.route,
        "model": event.model,
        "model_digest": event.model_digest,
        "site": event.site,
        "chip": event.chip,
        "placement": event.placement,
        "tokens_in": event.tokens_in,
        "tokens_cached": event.tokens_cached,
        "tokens_out": event.tokens_out,
        "counted": event.counted,
        "outcome": event.outcome,
        "admitted_at": _moment(event.admitted_at_ms),
        "first_byte_at": event.first_byte_at_ms and _moment(event.first_byte_at_ms),
        "ended_at": _moment(event.ended_at_ms),
        "attempts": event.attempts,
        "price_version": event.price_version,
        "hold_micro": event.hold_micro,
        "cost_micro": settled + written_off,
        "settled_micro": settled,
        "written_off_micro": written_off,
        "late": record.fields[b"late"] == b"1",
        "stream": event.stream,
    }


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _poison(record: Record, error: Exception, now: datetime) -> PoisonRecord:
    return PoisonRecord(
        cell=record.cell,
        stream_id=record.stream_id,
        raw=msgspec.msgpack.encode(record.fields),
        reason=f"{type(error).__name__}: {error}"[:300],
        seen_at=now,
    )


def _by_id(records: Sequence[Record], row: dict[str, Any]) -> Record:
    return next(record for record in records if record.stream_id == row["stream_id"])


def _known(
    rows: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows with their organization's number, and rows that name an organization we do not have."""
    wanted = {row["organization"] for row in rows}
    known = dict(Organization.objects.filter(public_id__in=wanted).values_list("public_id", "pk"))
    good = [
        row | {"organization_id": known[row["organization"]]}
        for row in rows
        if row["organization"] in known
    ]
    return good, [row for row in rows if row["organization"] not in known]


_COLUMNS = [
    str(field.column) for field in LedgerEntry._meta.concrete_fields if field.name != "recorded_at"
]


_REFUSALS = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError)


def _insert_each(rows: list[dict[str, Any]]) -> tuple[int, list[tuple[dict[str, Any], Exception]]]:
    """All rows at once; where PostgreSQL refuses one, the halves, so that it stops nobody else.

    New rows are counted; the refused ones come back with the reason.
    """
    try:
        with transaction.atomic():
            return _insert(rows), []
    except _REFUSALS as error:
        if len(rows) == 1:
            return 0, [(rows[0], error)]
    half = len(rows) // 2
    new, refused = _insert_each(rows[:half])
    more, too = _insert_each(rows[half:])
    return new + more, refused + too


def _insert(rows: list[dict[str, Any]]) -> int:
    """COPY into a staging table, then insert what is new."""
    if not rows:
        return 0
    names = ", ".join(_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS ledger_staging "
            "(LIKE usage_ledgerentry INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"
        )
        cursor.execute("DELETE FROM ledger_staging")
        with cursor.copy(f"COPY ledger_staging ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[column] for column in _COLUMNS])
        cursor.execute(
            f"INSERT INTO usage_ledgerentry ({names}) SELECT DISTINCT ON (day, request_id) {names} "  # noqa: S608 - column names come from the model
            "FROM ledger_staging ON CONFLICT DO NOTHING"
        )
        return int(cursor.rowcount)


def book_orphans(cell: int, orphans: Iterable[tuple[str, str, int]], *, now: datetime) -> int:
    """Keep (request id, organization public id, hold) of lapsed holds apart from the ledger.

    A settlement that comes later resolves its orphan.
    """
    found = list(orphans)
    with rls.everyone(because="intake: orphaned holds"):
        known = dict(
            Organization.objects.filter(public_id__in={one[1] for one in found}).values_list(
                "public_id", "pk"
            )
        )
        rows = [
            OrphanedEvent(
                organization_id=known[organization],
                request_id=UUID(request_id),
                cell=cell,
                hold_micro=hold,
                seen_at=now,
            )
            for request_id, organization, hold in found
            if organization in known
        ]
        settled = set(
            LedgerEntry.objects.filter(request_id__in=[row.request_id for row in rows]).values_list(
                "request_id", flat=True
            )
        )
        for row in rows:
            row.resolved_at = now if row.request_id in settled else None
        OrphanedEvent.objects.bulk_create(rows, ignore_conflicts=True)
    return len(found)


def new_token() -> UUID:
    """A fencing token of one intake process."""
    return uuid4()
