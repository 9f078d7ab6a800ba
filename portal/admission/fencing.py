"""The calls of the fence, without any socket: what is told again after a loss.

They work only while a cell is closed, in the round that closed it: later, others may have used
the room.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from portal.admission.calls import Command, Later, later_text
from portal.admission.keys import tag

OVER = b"over"  # the answer when the round is over, or the cell counted: nothing was done


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An admitted request as its gateway knows it."""

    request_id: str
    sha256: str
    month: str
    worst_micro: int
    subjects: Sequence[str]
    key: str
    organization: str


def reassert(cell: int, round_number: int, hold: Hold) -> Command:
    """Count a hold again, without refusing it, with a new lease. Harmless when repeated."""
    return (
        *("FCALL", "reassert_3", 1, tag(cell), round_number),
        *(hold.request_id, hold.sha256, hold.month, hold.worst_micro, ",".join(hold.subjects)),
        *(hold.key, hold.organization),
    )


def resettle(
    cell: int,
    round_number: int,
    *,
    request_id: str,
    cost_micro: int,
    charged_micro: int,
    event: bytes,
) -> Command:
    """Put a settlement that was acknowledged into the stream again, charged as it was."""
    return (
        *("FCALL", "resettle_3", 1, tag(cell), round_number),
        *(request_id, cost_micro, charged_micro, event),
    )


def end_booked(cell: int, round_number: int, request_ids: Sequence[str]) -> Command:
    """The cell is being counted: from here on gateways hear ``OVER``. End the holds of these
    requests, which the ledger has. The answer is how many there were, or ``OVER``."""
    return ("FCALL", "end_booked_3", 1, tag(cell), round_number, *request_ids)


def restore_limit(
    cell: int, *, subject: str, limit_micro: int, hard: bool, number: int, later: Later = ()
) -> Command:
    """The limit that the row says, also below what is used. A newer number stays. Arguments as of
    ``calls.set_limit``."""
    more = (later_text(later),) if later else ()
    name = ("FCALL", "restore_limit_3", 1, tag(cell))
    return (*name, subject, limit_micro, int(hard), number, *more)


class Round(msgspec.Struct, frozen=True, array_like=True):
    """A round that is over, and how far the ledger had come in each cell when it began."""

    number: int
    passed_ms: list[int]


def encode_rounds(rounds: Sequence[Round]) -> bytes:
    """Bytes as published."""
    return msgspec.msgpack.encode(list(rounds))


def decode_rounds(raw: bytes) -> list[Round]:
    """``msgspec.ValidationError`` if they are none."""
    return msgspec.msgpack.decode(raw, type=list[Round])


def encode_passed(passed_ms: Sequence[int]) -> bytes:
    """Of each cell: what was settled before this moment of Valkey's clock is in the ledger."""
    return msgspec.msgpack.encode(list(passed_ms))


def decode_passed(raw: bytes) -> list[int]:
    """``msgspec.ValidationError`` if it is none."""
    return msgspec.msgpack.decode(raw, type=list[int])
