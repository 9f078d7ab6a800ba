"""Usage events → ledger entries, exactly once.

The position in each cell's stream is kept in PostgreSQL and moves in the same transaction as
the rows, so that there is nothing to acknowledge twice: a batch is either in the ledger and
behind the watermarks, or neither. Rows are unique by request id besides. A stream is trimmed
only below a committed watermark. A record that cannot be read goes aside with its bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import structlog
from django.db import connection
from django.db.models import Q

from portal.lib import ids
from portal.usage import staging
from portal.usage.decoding import Batch, Row, Spoilt
from portal.usage.models import LedgerEntry, OrphanedEvent, PoisonRecord, Watermark
from portal.usage.staging import Staged
from tenants import rls
from tenants.models import Organization

log = structlog.get_logger()

LEASE = timedelta(seconds=30)


class LeaseLost(Exception):
    """Another intake owns a cell of the batch; nothing of the batch was written."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of a batch: new entries, records that were there before, records put aside."""

    new: int
    repeated: int
    put_aside: int


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


def owned(token: UUID) -> set[int]:
    """Cells that are ours; they stay so until the end of the caller's transaction."""
    rows = Watermark.objects.select_for_update().filter(lease_token=token).order_by("cell")
    return set(rows.values_list("cell", flat=True))


def hold_still(cells: Collection[int]) -> None:
    """Nobody books, trims or counts in these cells until the end of the caller's transaction."""
    rows = Watermark.objects.select_for_update().filter(cell__in=cells)
    list(rows.order_by("cell"))  # one order for all who lock


def end_leases(cells: Collection[int]) -> None:
    """Every intake loses these cells and takes them again: what it has read is not booked."""
    with rls.everyone(because="publisher: streams that may be others now"):
        hold_still(cells)
        ended = Watermark.objects.filter(cell__in=cells)
        ended.update(lease_token=None, lease_until=None)


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
        Watermark.objects.filter(cell=cell, lease_token=token).update(
            stream_id="0-0", appended_before=None
        )


def book(batch: Batch, *, token: UUID, now: datetime) -> Booked:
    """Write a batch of many cells and move their watermarks, in one transaction.

    ``LeaseLost`` if one of the cells is no longer ours: then nothing was written.
    """
    with rls.everyone(because="intake: a cell holds many organizations"):
        rows, strangers = known(batch.rows)
        new, refused = staging.insert(rows, now)
        aside = [*batch.spoilt, *strangers, *refused]
        put_aside(aside, now)
        _move(batch, _by_cell(rows, new), Counter(one.record.cell for one in aside), token)
    if aside:
        log.error("intake.poison", count=len(aside))
    fresh = new.total()
    return Booked(fresh, batch.size - len(aside) - fresh, len(aside))


def _by_cell(rows: Sequence[Staged], new: Counter[int]) -> Counter[int]:
    """New entries by cell; an organization lives in one."""
    cells = {organization: row.record.cell for row, organization in rows}
    found: Counter[int] = Counter()
    for organization, count in new.items():
        found[cells[organization]] += count
    return found


_MOVE = """
    UPDATE usage_watermark w SET stream_id = v.stream_id, read = w.read + v.read,
      booked = w.booked + v.booked, put_aside = w.put_aside + v.put_aside
    FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
      AS v(cell, stream_id, read, booked, put_aside)
    WHERE w.cell = v.cell AND w.lease_token = %s
"""


def _move(batch: Batch, new: Counter[int], aside: Counter[int], token: UUID) -> None:
    cells = sorted(batch.ends)
    columns: list[list[Any]] = [
        cells,
        [batch.ends[cell] for cell in cells],
        [batch.counts[cell] for cell in cells],
        [new[cell] for cell in cells],
        [aside[cell] for cell in cells],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [*columns, token])
        if cursor.rowcount != len(cells):
            raise LeaseLost(f"{len(cells) - cursor.rowcount} of {len(cells)} cells")


def put_aside(spoilt: Iterable[Spoilt], now: datetime) -> None:
    """Keep what could not be booked, with its bytes; once, whenever it is read again."""
    PoisonRecord.objects.bulk_create(
        [
            PoisonRecord(
                cell=record.cell,
                stream_id=record.stream_id,
                raw=msgspec.msgpack.encode(record.fields),
                reason=because,
                seen_at=now,
            )
            for record, because in spoilt
        ],
        ignore_conflicts=True,
    )


_numbers: dict[str, int] = {}  # an organization keeps its public id and its number for ever


def known(rows: Sequence[Row]) -> tuple[list[Staged], list[Spoilt]]:
    """Rows with their organization's number, and rows that name an organization we do not have."""
    numbers = _numbers_of({row.organization for row in rows})
    found, strangers = [], []
    for row in rows:
        number = numbers.get(row.organization)
        if number is None:
            strangers.append(Spoilt(row.record, f"no organization {row.organization}"[:300]))
        else:
            found.append(Staged(row, number))
    return found, strangers


def _numbers_of(wanted: set[str]) -> Mapping[str, int]:
    if missing := wanted - _numbers.keys():
        found = Organization.objects.filter(public_id__in=missing)
        _numbers.update(found.values_list("public_id", "pk"))
    return _numbers


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
        days = {ids.request_id_time(str(row.request_id)).date() for row in rows}
        settled = set(
            LedgerEntry.objects.filter(
                day__in=days, request_id__in=[row.request_id for row in rows]
            ).values_list("request_id", flat=True)
        )
        for row in rows:
            row.resolved_at = now if row.request_id in settled else None
        OrphanedEvent.objects.bulk_create(rows, ignore_conflicts=True)
    return len(found)


def new_token() -> UUID:
    """A fencing token of one intake process."""
    return uuid4()
