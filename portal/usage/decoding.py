"""Records of a cell's stream → lines for COPY. Pure, and meant to be quick.

A line is made straight from the event: no dictionary and no object of the ledger for each row.
What cannot be read becomes ``Spoilt`` with the reason and keeps its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec

from portal.usage.events import UsageEvent

_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
NULL = "\\N"

# Column of the staging table → its type, in the order of a line; the organization's number comes
# in front. Moments travel as Unix milliseconds: PostgreSQL makes them quicker than Python writes.
STAGED = {
    "organization_id": "bigint",
    "day": "date",
    "request_id": "uuid",
    "project": "text",
    "key": "text",
    "endpoint": "text",
    "route": "text",
    "model": "text",
    "model_digest": "text",
    "site": "text",
    "chip": "text",
    "placement": "text",
    "price_version": "text",
    "data_class": "text",
    "counted": "text",
    "outcome": "text",
    "tokens_in": "bigint",
    "tokens_cached": "bigint",
    "tokens_out": "bigint",
    "admitted_ms": "bigint",
    "first_byte_ms": "bigint",
    "ended_ms": "bigint",
    "attempts": "int",
    "hold_micro": "bigint",
    "cost_micro": "bigint",
    "settled_micro": "bigint",
    "written_off_micro": "bigint",
    "late": "boolean",
    "stream": "boolean",
    "simulated": "boolean",
    "waited_ms": "bigint",
    "replayable": "boolean",
    "batch": "boolean",
}
_decode = msgspec.msgpack.Decoder(UsageEvent).decode
_TEXTS = 12  # tabs between the texts of a line: one more would be inside one of them


class Record(NamedTuple):
    """One record of a cell's stream as read: its id and its fields as bytes."""

    cell: int
    stream_id: str
    fields: dict[bytes, bytes]


class Row(NamedTuple):
    """One readable record. ``line`` is for COPY and lacks the organization's number."""

    record: Record
    organization: str
    day: str
    request_id: str
    line: str


class Spoilt(NamedTuple):
    """A record that stays out of the ledger, and why."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read brought, of one cell or many, in the order of the streams."""

    rows: list[Row]
    spoilt: list[Spoilt]
    late: bool  # whether some came when nobody knew their hold any more
    ends: dict[int, str]  # cell → id of its last record
    counts: dict[int, int]  # cell → how many records

    @property
    def size(self) -> int:
        """Records, readable or not."""
        return len(self.rows) + len(self.spoilt)


def read(records: Iterable[Record]) -> Batch:
    """Everything decoded; nothing raises."""
    rows: list[Row] = []
    spoilt: list[Spoilt] = []
    ends: dict[int, str] = {}
    counts: dict[int, int] = {}
    late = False
    for record in records:
        cell = record.cell
        ends[cell] = record.stream_id
        counts[cell] = counts.get(cell, 0) + 1
        try:
            rows.append(row_of(record))
        except (msgspec.MsgspecError, KeyError, ValueError, OverflowError) as error:
            spoilt.append(Spoilt(record, reason(error)))
            continue
        late = late or record.fields[b"late"] == b"1"
    return Batch(rows, spoilt, late, ends, counts)


def reason(error: Exception) -> str:
    """As it is kept beside the bytes."""
    return f"{type(error).__name__}: {error}"[:300]


def row_of(record: Record) -> Row:
    """``MsgspecError``, ``KeyError``, ``ValueError`` or ``OverflowError`` if it makes no sense."""
    fields = record.fields
    event = _decode(fields[b"event"])
    request_id = _canonical(event.request_id)
    day = _day(request_id)
    settled, off = int(fields[b"settled_micro"]), int(fields[b"written_off_micro"])
    late = "t" if fields[b"late"] == b"1" else "f"
    first = NULL if event.first_byte_at_ms is None else event.first_byte_at_ms
    line = (
        f"{day}\t{request_id}\t{_texts(event)}\t"
        f"{event.tokens_in}\t{event.tokens_cached}\t{event.tokens_out}\t"
        f"{event.admitted_at_ms}\t{first}\t{event.ended_at_ms}\t{event.attempts}\t"
        f"{event.hold_micro}\t{settled + off}\t{settled}\t{off}\t"
        f"{late}\t{'t' if event.stream else 'f'}\t{_of_newer(event)}\t"
        f"{'t' if event.batch else 'f'}\n"
    )
    return Row(record, event.organization, day, request_id, line)


def _texts(one: UsageEvent) -> str:
    """The columns that are text. What COPY would misread is escaped; hardly ever needed."""
    text = (
        f"{one.project}\t{one.key}\t{one.endpoint}\t{one.route}\t{one.model}\t{one.model_digest}\t"
        f"{one.site}\t{one.chip}\t{one.placement}\t{one.price_version}\t{one.data_class}\t"
        f"{one.counted}\t{one.outcome}"
    )
    if "\\" not in text and "\n" not in text and "\r" not in text and text.count("\t") == _TEXTS:
        return text
    columns = list(STAGED)[3 : 3 + _TEXTS + 1]
    return "\t".join(escaped(getattr(one, name)) for name in columns)


def escaped(text: str) -> str:
    """One value as COPY's text format reads it back."""
    text = text.replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n").replace("\r", "\\r")


def _of_newer(event: UsageEvent) -> str:
    """What gateways of before did not tell stays unknown: an event without its data class."""
    if not event.data_class:
        return f"{NULL}\t{NULL}\t{NULL}"
    simulated, replayable = "t" if event.simulated else "f", "t" if event.replayable else "f"
    return f"{simulated}\t{event.waited_ms}\t{replayable}"


def _day(request_id: str) -> str:
    """The day in UTC that a UUIDv7 names."""
    days = int(request_id[:8] + request_id[9:13], 16) // _DAY_MS
    known = _days.get(days)
    if known is None:
        if len(_days) > 1000:
            _days.clear()
        known = _days[days] = date.fromordinal(_EPOCH + days).isoformat()
    return known


def _canonical(request_id: str) -> str:
    """A UUIDv7 in its one spelling. ``ValueError`` for any other text."""
    if _UUID7(request_id):
        return request_id
    found = UUID(request_id)
    if found.version != 7:
        raise ValueError(f"{request_id} is not a UUIDv7")
    return str(found)


_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_days: dict[int, str] = {}
