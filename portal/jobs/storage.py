"""Where files of jobs stand: an interface, and the disk. A bucket is in ``bucket``.

Content is sealed (``blocks``), wherever it stands. A file is there as a whole or not at all;
writing, reading and removing again does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Protocol

from django.conf import settings

from portal.jobs.blocks import BLOCK, SEALED, Blocks, opened
from portal.lib.sealing import SealBroken


class FileLost(Exception):
    """The storage does not have it, or what it has is not what was written."""


class StorageAway(OSError):
    """The storage could not be asked, as a disk that is full or away. Try again later."""


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
                blocks = Blocks(file, name)
                yield blocks
                blocks.end()
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def read(self, name: str, start: int = 0) -> Iterator[bytes]:
        try:
            with self._path(name).open("rb") as file:
                yield from opened(name, start, lambda number: _sealed(file, number))
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


def _sealed(file: IO[bytes], number: int) -> Iterator[bytes]:
    file.seek(number * SEALED)
    while True:
        yield file.read(SEALED)


def storage() -> Storage:
    """The one that the settings name: a bucket, or the disk."""
    if not settings.DURE_JOBS_S3_BUCKET:
        return Disk(settings.DURE_JOBS_DIR)
    return _bucket(
        settings.DURE_JOBS_S3_BUCKET,
        settings.DURE_JOBS_S3_ENDPOINT,
        settings.DURE_JOBS_S3_REGION,
        settings.DURE_JOBS_S3_KEY_ID,
        settings.DURE_JOBS_S3_SECRET,
        settings.DURE_JOBS_DIR / "sending",
    )


@cache
def _bucket(
    name: str, endpoint: str, region: str, key_id: str, secret: str, folder: Path
) -> Storage:
    """One client a process: it keeps connections."""
    from portal.jobs.bucket import Bucket  # 16 MB that an installation with a disk never loads

    return Bucket(
        name, endpoint=endpoint, region=region, key_id=key_id, secret=secret, folder=folder
    )


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
