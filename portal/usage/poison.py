"""Records that could not be booked: what they would have charged, and booking them after a mend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from django.db import transaction

from portal.admission.sync import Admission
from portal.usage import decoding, intake, late, staging
from portal.usage.decoding import Batch, Record
from portal.usage.models import PoisonRecord
from tenants import rls

SOME = 500


def record_of(row: PoisonRecord) -> Record:
    """As it was read from the stream."""
    return Record(row.cell, row.stream_id, msgspec.msgpack.decode(bytes(row.raw)))


def left() -> Iterator[Record]:
    """Those that nobody has booked yet."""
    for row in PoisonRecord.objects.filter(replayed_at=None).iterator(SOME):
        yield record_of(row)


def replay(admission: Admission, *, now: datetime) -> tuple[int, list[tuple[PoisonRecord, str]]]:
    """Book what can be booked now: how many, and those that still cannot, with the reason.

    Once, like every event: what is in the ledger already is left alone and counts as booked. Late
    ones are charged as far as there is room now; ``AdmissionUnavailable`` if they cannot be.
    """
    booked, still = 0, []
    after = 0
    while rows := _some(after):
        after = rows[-1].pk
        refused = _replay(rows, admission, now)
        booked += len(rows) - len(refused)
        still += refused
    return booked, still


def _some(after: int) -> list[PoisonRecord]:
    with rls.everyone(because="replay: records put aside"):
        rows = PoisonRecord.objects.filter(replayed_at=None, pk__gt=after).order_by("pk")
        return list(rows[:SOME])


@transaction.atomic
def _replay(
    rows: list[PoisonRecord], admission: Admission, now: datetime
) -> list[tuple[PoisonRecord, str]]:
    batch: Batch = decoding.read([record_of(row) for row in rows])
    with rls.everyone(because="replay: records put aside"):
        if batch.late:
            intake.hold_still(batch.ends)
            batch = late.charged(batch, admission)
        known, strangers = intake.known(batch.rows)
        _new, refused = staging.insert(known, now)
        reasons = {
            (one.record.cell, one.record.stream_id): one.reason
            for one in [*batch.spoilt, *strangers, *refused]
        }
        good = [row.pk for row in rows if (row.cell, row.stream_id) not in reasons]
        PoisonRecord.objects.filter(pk__in=good).update(replayed_at=now)
    return [
        (row, reasons[row.cell, row.stream_id])
        for row in rows
        if (row.cell, row.stream_id) in reasons
    ]
