"""One file of the journal: records appended, each with its length and checksum.

A record is msgpack: ``Settlement`` or ``Acknowledged``. The file is locked while a process
uses it; a file without a lock was left behind by a process that died.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from pathlib import Path
from typing import Self

import msgspec

_HEAD = struct.Struct("<II")
MOST_BYTES = 1 << 20  # of one record; a length above it is damage


class Settlement(msgspec.Struct, frozen=True, tag="s", array_like=True):
    """What ``settle`` is told, again and again until it is acknowledged."""

    request_id: str
    cell: int
    cost_micro: int
    event: bytes
    tokens: int | None = None  # used, in and out; None: unknown, or from an older release
    outcome: str = ""


class Acknowledged(msgspec.Struct, frozen=True, tag="a", array_like=True):
    """These settlements stand in Valkey."""

    request_ids: list[str]


Record = Settlement | Acknowledged
_decoder = msgspec.msgpack.Decoder(Record)


def framed(record: Record) -> bytes:
    """Bytes of a record as they stand in the file."""
    content = msgspec.msgpack.encode(record)
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
        if length > MOST_BYTES or end > len(content):
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


def unacknowledged(records: list[Record]) -> list[Settlement]:
    """Settlements that no later record acknowledges."""
    done = {name for one in records if isinstance(one, Acknowledged) for name in one.request_ids}
    return [one for one in records if isinstance(one, Settlement) and one.request_id not in done]


class Segment:
    """An open, locked file."""

    def __init__(self, path: Path, file: int, size: int) -> None:
        self.path = path
        self.size = size
        self.waiting: set[str] = set()  # settlements in it that are not acknowledged
        self.dirty = False
        self._file = file

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty one. ``OSError`` if the folder cannot be written."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cls(path, file, 0)

    @classmethod
    def adopt(cls, path: Path) -> tuple[Self, list[Record], int] | None:
        """One that nobody holds, its records and how many are damaged; ``None`` if it is held.

        A record that was cut off by a crash is taken away, so that more can be appended.
        """
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND)
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
        segment.waiting = {one.request_id for one in unacknowledged(records)}
        return segment, records, damaged

    def append(self, record: Record) -> None:
        """Into the page cache, where it outlives this process. ``OSError`` if it did not fit;
        the file is then as it was before."""
        content = framed(record)
        written = os.write(self._file, content)
        if written != len(content):
            os.ftruncate(self._file, self.size)
            raise OSError(f"{self.path.name}: only {written} of {len(content)} bytes were written")
        self.size += written
        self.dirty = True
        if isinstance(record, Settlement):
            self.waiting.add(record.request_id)
        else:
            self.waiting.difference_update(record.request_ids)

    def sync(self) -> None:
        """Onto the disk. Called in a thread."""
        self.dirty = False
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of it: another gateway may adopt it."""
        os.close(self._file)
