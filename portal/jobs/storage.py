"""Where files of jobs stand: an interface, and the disk.

Content is sealed in blocks of 64 KiB, each bound to its file and place, so that a copy of the disk
says nothing without ``DURE_SEAL_KEYS``, and no block can be put where another one stood. A file
is there as a whole or not at all; writing, reading and removing again does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from django.conf import settings

from portal.lib.sealing import SealBroken, seal_bytes, unseal_bytes

BLOCK = 65_536
_SEALED = BLOCK + 28  # a nonce and a tag


class FileLost(Exception):
    """The storage does not have it, or what it has is not what was written."""


class Writing(Protocol):
    def write(self, piece: bytes) -> None:
        """The next bytes."""


class Storage(Protocol):
    """Files by name. Another kind of storage is another class with these."""

    def writing(self, name: str) -> AbstractContextManager[Writing]:
        """What was written is there once the block has ended well, and not at all if it has not."""

    def read(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The bytes from ``start``, in pieces. ``FileLost``."""

    def remove(self, name: str) -> None:
        """Also if there is none."""

    def older(self, moment: datetime) -> Iterator[str]:
        """Names of files that were written before then."""


class _Blocks:
    """Bytes into sealed blocks."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name
        self._rest = bytearray()
        self._number = 0

    def write(self, piece: bytes) -> None:
        self._rest += piece
        while len(self._rest) >= BLOCK:
            self._put(bytes(self._rest[:BLOCK]))
            del self._rest[:BLOCK]

    def end(self) -> None:
        self._put(bytes(self._rest))  # shorter than the others, so that a file cut short is seen

    def _put(self, block: bytes) -> None:
        bound = _bound(self._name, self._number)
        self._file.write(seal_bytes(block, settings.DURE_SEAL_KEYS, bound))
        self._number += 1


def _bound(name: str, number: int) -> bytes:
    return f"job file {name} {number}".encode()


class Disk:
    """A folder of this machine, or one that several share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, name: str) -> Path:
        return self.folder / name[-2:] / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Writing]:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f"{name}.part-{os.urandom(4).hex()}")
        try:
            with part.open("xb") as file:
                blocks = _Blocks(file, name)
                yield blocks
                blocks.end()
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def read(self, name: str, start: int = 0) -> Iterator[bytes]:
        number, skip = divmod(start, BLOCK)
        try:
            with self._path(name).open("rb") as file:
                file.seek(number * _SEALED)
                while True:
                    bound = _bound(name, number)
                    block = unseal_bytes(file.read(_SEALED), settings.DURE_SEAL_KEYS, bound)
                    if block[skip:]:
                        yield block[skip:]
                    if len(block) < BLOCK:
                        return
                    number, skip = number + 1, 0
        except (OSError, SealBroken) as error:
            raise FileLost(name) from error

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._path(name).unlink()

    def older(self, moment: datetime) -> Iterator[str]:
        for path in self.folder.glob("??/*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < moment.timestamp():
                    yield path.name


def storage() -> Storage:
    """The one that the settings name."""
    return Disk(settings.DURE_JOBS_DIR)


class Lines:
    """Lines of one stored file by their place, asked for in their order: each block is opened
    once."""

    def __init__(self, kept: Storage, name: str) -> None:
        self._kept, self._name = kept, name
        self._pieces: Iterator[bytes] | None = None
        self._held = b""
        self._at = 0  # of what is held, in the file

    def at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. ``FileLost``."""
        if self._pieces is None or offset < self._at or offset > self._at + len(self._held) + BLOCK:
            self._pieces, self._held, self._at = self._kept.read(self._name, offset), b"", offset
        while self._at + len(self._held) < offset + length:
            piece = next(self._pieces, None)
            if piece is None:
                raise FileLost(self._name)
            gone = min(max(0, offset - self._at), len(self._held))  # of lines before
            self._held, self._at = self._held[gone:] + piece, self._at + gone
        begin = offset - self._at
        return self._held[begin : begin + length]
