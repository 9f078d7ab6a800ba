"""What is stored, recorded piece by piece, for whoever keeps files.

A piece is so many bytes from one moment to another. Recorded again, only what lies behind the last
piece is added, so that a sweep may be repeated; a change of size is a piece of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max

from portal.lib.periods import Period, day_period, seoul_date
from portal.usage.models import StoredVolume
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Volume:
    """Something that is stored, and the price version that it is stored at."""

    organization: Organization
    project: str
    public_id: str
    storage: str  # kind of storage
    bytes: int
    price_version: str


def pieces(period: Period) -> Iterator[Period]:
    """Whole seconds, cut at midnight in Korea. Half-open, so that no second is in two pieces."""
    start = period.start.replace(microsecond=0)
    end = period.end.replace(microsecond=0)
    while start < end:
        cut = min(end, day_period(seoul_date(start)).end)
        yield Period(start, cut)
        start = cut


@transaction.atomic
def record(volume: Volume, period: Period) -> int:
    """Record what is new of the period; how many rows. Runs inside the tenant's transaction.

    The database refuses to record one second of a volume twice, also when two do it at once.
    """
    last = StoredVolume.objects.filter(volume=volume.public_id).aggregate(end=Max("ended_at"))
    start = max(period.start, last["end"] or period.start)
    if volume.bytes <= 0 or start >= period.end:
        return 0
    rows = [
        StoredVolume(
            organization=volume.organization,
            project=volume.project,
            volume=volume.public_id,
            storage=volume.storage,
            bytes=volume.bytes,
            started_at=piece.start,
            ended_at=piece.end,
            price_version=volume.price_version,
        )
        for piece in pieces(Period(start, period.end))
    ]
    StoredVolume.objects.bulk_create(rows)
    return len(rows)
