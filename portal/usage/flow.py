"""Events in, entries out: what each cell's stream took, what of it is booked, what waits.

Since counting began, ``appended = read + waiting`` and ``read = booked + repeated + put aside``:
a difference is an event that somebody removed unread. The numbers stand beside the watermark, so
that pages need no Valkey, and in a file for Prometheus (``lines``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import redis

from portal.admission import keys
from portal.usage.models import Watermark
from tenants import rls


def order(stream_id: bytes) -> tuple[int, int]:
    """A stream's id as numbers: milliseconds and a counter."""
    ms, _, number = stream_id.partition(b"-")
    return int(ms), int(number or b"0")


def trim(client: redis.Redis, positions: Mapping[int, str]) -> None:
    """Forget what is committed, the position itself included; never by length."""
    pipe = client.pipeline(transaction=False)
    for cell, position in positions.items():
        ms, number = order(position.encode())
        pipe.xtrim(keys.events(cell), minid=f"{ms}-{number + 1}", approximate=False)
    pipe.execute()


@dataclass(frozen=True, slots=True)
class Flow:
    """All cells together, as last measured. ``missing`` is what was removed unread: never one."""

    appended: int
    booked: int
    repeated: int
    put_aside: int
    waiting: int
    waiting_seconds: int
    missing: int
    measured_at: datetime | None


def whole() -> Flow:
    """Out of PostgreSQL alone. The caller may see the platform's rows."""
    marks = list(Watermark.objects.exclude(measured_at=None))

    def total(name: str) -> int:
        return sum(getattr(one, name) for one in marks)

    read, booked, put_aside = total("read"), total("booked"), total("put_aside")
    return Flow(
        appended=total("appended"),
        booked=booked,
        repeated=read - booked - put_aside,
        put_aside=put_aside,
        waiting=total("waiting"),
        waiting_seconds=max((one.waiting_ms for one in marks), default=0) // 1000,
        missing=sum(_missing(one) for one in marks),
        measured_at=min((one.measured_at for one in marks if one.measured_at), default=None),
    )


def _missing(mark: Watermark) -> int:
    """As last measured; batches booked since then are no longer waiting, so less than 0 is 0."""
    return max(0, mark.appended - mark.read - mark.waiting)


_GAUGES = {
    "appended": "Events that the cell's stream took since counting began.",
    "read": "Events that were read: booked, repeated or put aside.",
    "booked": "New entries of the ledger.",
    "put_aside": "Records that could not be booked.",
    "waiting": "Events that wait in the stream.",
    "waiting_ms": "How long the oldest of them has waited.",
}


def lines(marks: Iterable[Watermark]) -> str:
    """Gauges by cell in Prometheus' text format. No tenant is named."""
    marks = sorted(marks, key=lambda one: one.cell)
    found = []
    for name, meaning in _GAUGES.items():
        metric = f"dure_intake_{name}"
        found += [f"# HELP {metric} {meaning}", f"# TYPE {metric} gauge"]
        found += [f'{metric}{{cell="{one.cell}"}} {getattr(one, name)}' for one in marks]
    return "\n".join(found) + "\n"


@dataclass(frozen=True, slots=True)
class Stream:
    """A cell's stream: events that it ever took, events that wait, since when the oldest does."""

    appended: int
    waiting: int
    oldest_ms: int | None


def look(client: redis.Redis, cells: Iterable[int]) -> dict[int, Stream]:
    """The streams as they are."""
    cells = list(cells)
    pipe = client.pipeline(transaction=False)
    for cell in cells:
        pipe.exists(keys.events(cell))
    there = [cell for cell, found in zip(cells, pipe.execute(), strict=True) if found]
    pipe = client.pipeline(transaction=False)
    for cell in there:
        pipe.xinfo_stream(keys.events(cell))
    found = dict(zip(there, pipe.execute(), strict=True))
    return {cell: _stream(found.get(cell)) for cell in cells}


def _stream(about: Any) -> Stream:
    if about is None:
        return Stream(0, 0, None)
    first = about["first-entry"]
    return Stream(
        int(about["entries-added"]), int(about["length"]), order(first[0])[0] if first else None
    )


def measure(
    client: redis.Redis, positions: Mapping[int, str], *, token: UUID, now: datetime
) -> list[Watermark]:
    """Look at the streams of our cells and note it beside their watermarks, which come back."""
    trim(client, positions)  # what was committed by one who died before trimming
    streams = look(client, positions)
    with rls.everyone(because="intake: how the streams flow"):
        ours = Watermark.objects.filter(cell__in=streams, lease_token=token)
        marks = list(ours.select_for_update())
        for mark in marks:
            _note(mark, streams[mark.cell], now)
        Watermark.objects.bulk_update(marks, _MEASURED)
    return marks


_MEASURED = [
    "appended_before",
    "read",
    "booked",
    "put_aside",
    "appended",
    "waiting",
    "waiting_ms",
    "measured_at",
]


def _note(mark: Watermark, stream: Stream, now: datetime) -> None:
    began = mark.appended_before
    if began is None or stream.appended < began:  # first look, or the stream is a new one
        mark.appended_before = stream.appended - stream.waiting
        mark.read = mark.booked = mark.put_aside = 0
    mark.appended = stream.appended - (mark.appended_before or 0)
    mark.waiting = stream.waiting
    late_by = 0 if stream.oldest_ms is None else int(now.timestamp() * 1000) - stream.oldest_ms
    mark.waiting_ms = max(0, late_by)
    mark.measured_at = now
