"""One file of the journal: records appended, each with its length and checksum.

A record is msgpack: ``Settlement`` or ``Acknowledged``. The file is locked while a process
uses it; a file without a lock was left behind by a process that died.

What is appended is put into mapped pages of the file: they outlive a killed process as written
ones do, and cost no call of the kernel. Their room on the disk is taken before, in steps, so that
a full disk is an error here and not a signal. Behind the last record stand zeros.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

_HEAD = struct.Struct("<II")
UNKNOWN = -1  # what a settlement was charged, when its hold was not known any more
MOST_BYTES = 1 << 20  # of one record; a length above it is damage
STEP_BYTES = 1 << 18  # of the disk taken at once; only so much is mapped at a time


class Settlement(msgspec.Struct, frozen=True, tag="s", array_like=True):
    """What ``settle`` is told, again and again until it is acknowledged."""

    request_id: str
    cell: int
    cost_micro: int
    event: bytes
    tokens: int | None = None  # used, in and out; None: unknown, or from an older release
    outcome: str = ""
    leased_ms: int = 0  # until then its hold was known to be live; 0: a lease after its admission


class Acknowledged(msgspec.Struct, frozen=True, tag="a", array_like=True):
    """These settlements stand in Valkey, charged so; told at this moment or shortly before."""

    request_ids: list[str]
    at_ms: int = 0
    charged_micro: list[int] = []  # ``UNKNOWN`` where intake decides


class Answered(msgspec.Struct, frozen=True, tag="r", array_like=True):
    """What stands before has been told again in this round of the fence, where it was needed."""

    number: int


Record = Settlement | Acknowledged | Answered
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def framed(record: Record) -> bytes:
    """Bytes of a record as they stand in the file."""
    content = _encoder.encode(record)
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def unframed(content: bytes) -> tuple[list[Record], int, int]:
    """Records, the length up to which the file is whole, and how many records are damaged.

    A record that is cut off ends the file. One whose checksum is wrong is passed over.
    """
    records: list[Record] = []
    place = damaged = 0
    while len(content) - place >= _HEAD.size:
        length, checksum = _HEAD.unpack_from(content, place)
        end = place + _HEAD.size + length
        if not 0 < length <= MOST_BYTES or end > len(content):
            break
        body = content[place + _HEAD.size : end]
        place = end
        if zlib.crc32(body) != checksum:
            damaged += 1
            continue
        try:
            records.append(_decoder.decode(body))
        except msgspec.MsgspecError:
            damaged += 1
    return records, place, damaged


class Told(msgspec.Struct):
    """Settlements of a journal, as a loss of Valkey makes them needed again."""

    charged: list[tuple[Settlement, int]] = []  # acknowledged, with what each was charged
    undecided: list[Settlement] = []  # acknowledged, charged by intake
    waiting: list[Settlement] = []  # not acknowledged


def told(records: list[Record], moments_ms: Sequence[int]) -> Told:
    """Those that were acknowledged after the moment of their cell, and those never."""
    found = Told()
    waiting: dict[str, Settlement] = {}
    for record in records:
        if isinstance(record, Settlement):
            waiting[record.request_id] = record
            continue
        if isinstance(record, Answered):
            continue
        charges = record.charged_micro or [UNKNOWN] * len(record.request_ids)
        for request_id, charged in zip(record.request_ids, charges, strict=False):
            one = waiting.pop(request_id, None)
            if one is None or 0 < record.at_ms <= moments_ms[one.cell]:
                continue
            if charged == UNKNOWN:
                found.undecided.append(one)
            else:
                found.charged.append((one, charged))
    found.waiting += waiting.values()
    return found


class Segment:
    """An open, locked file."""

    def __init__(self, path: Path, file: int, size: int) -> None:
        self.path = path
        self.size = size
        self.waiting: dict[str, int] = {}  # settlements in it that are not acknowledged → cell
        self.answered = 0  # the last round in which it was told again
        self.acknowledged_ms: dict[int, int] = {}  # cell → when the last one was
        self.dirty = False
        self._file = file
        self._window: mmap.mmap | None = None  # where the next record comes
        self._from = 0  # the window's place in the file
        self._room = size  # up to here the file is as long, and all of it mapped

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty one. ``OSError`` if the folder cannot be written."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cls(path, file, 0)

    @classmethod
    def adopt(cls, path: Path) -> tuple[Self, list[Record], int] | None:
        """One that nobody holds, its records and how many are damaged; ``None`` if it is held.

        A record that was cut off by a crash is taken away, so that more can be appended.
        """
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        content = path.read_bytes()
        records, whole, damaged = unframed(content)
        if whole < len(content):
            os.ftruncate(file, whole)
        segment = cls(path, file, whole)
        for record in records:
            segment._note(record)
        return segment, records, damaged

    def append(self, record: Record) -> None:
        """Where it outlives this process. ``OSError`` if there is no room; the file is then as it
        was before."""
        content = framed(record)
        begin, end = self.size + _HEAD.size, self.size + len(content)
        window = self._window
        if window is None or end > self._room:
            window = self._widen(end)
        # The length comes last: whoever is killed in between leaves zeros, which are no record.
        window[begin - self._from : end - self._from] = content[_HEAD.size :]
        window[self.size - self._from : begin - self._from] = content[: _HEAD.size]
        self.size = end
        self.dirty = True
        self._note(record)

    def _widen(self, end: int) -> mmap.mmap:
        """A window that reaches from the last record to ``end`` at least."""
        begin = self.size - self.size % mmap.ALLOCATIONGRANULARITY
        room = end + STEP_BYTES
        os.posix_fallocate(self._file, self.size, room - self.size)
        window = mmap.mmap(self._file, room - begin, offset=begin)
        if self._window is not None:
            self._window.close()
        self._window, self._from, self._room = window, begin, room
        return window

    def _note(self, record: Record) -> None:
        if isinstance(record, Settlement):
            self.waiting[record.request_id] = record.cell
            return
        if isinstance(record, Answered):
            self.answered = max(self.answered, record.number)
            return
        at_ms = record.at_ms or int(self.path.stat().st_mtime * 1000)
        for request_id in record.request_ids:
            cell = self.waiting.pop(request_id, None)
            if cell is not None:
                self.acknowledged_ms[cell] = max(at_ms, self.acknowledged_ms.get(cell, 0))

    def told_since(self, moments_ms: Sequence[int]) -> bool:
        """Whether something in it was acknowledged after its cell's moment."""
        return any(at > moments_ms[cell] for cell, at in self.acknowledged_ms.items())

    def sync(self) -> None:
        """Onto the disk. Called in a thread."""
        self.dirty = False
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of it: another gateway may adopt it."""
        if self._window is not None:
            self._window.close()
            self._window = None
            os.ftruncate(self._file, self.size)
        os.close(self._file)
