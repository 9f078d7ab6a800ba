"""Checkpoints kept outside PostgreSQL: whoever rewrites the database cannot rewrite these.

``Folder`` keeps them as lines of JSON, one file an organization and month, opened for appending
only and flushed to the disk before anybody counts on them. Put the folder on a volume that the
database's administrators cannot write (``DURE_CHECKPOINT_DIR``); an object store with retention
may follow as one more ``Store``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from django.conf import settings

from tenants.chain import Checkpoint, Pruned

_NAME = re.compile(r"\A[a-z0-9_]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Kept:
    """One line: what was signed, by which key, and the signature."""

    point: Checkpoint | Pruned
    signed_by: str
    signature: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no checkpoint."""

    place: str


class Store(Protocol):
    """Where checkpoints are kept. What ``append`` has taken survives a power loss."""

    def append(self, organization: str, kept: Iterable[Kept]) -> None: ...

    def read(self, organization: str) -> Iterator[Kept | Unreadable]:
        """All of an organization, oldest first, one after the other."""
        ...

    def organizations(self) -> set[str]: ...


class Folder:
    """Files below one folder: ``<organization>/<month>.jsonl``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def append(self, organization: str, kept: Iterable[Kept]) -> None:
        files: dict[str, list[str]] = {}
        for one in kept:
            month = datetime.fromtimestamp(one.point.at / 1_000_000, UTC).strftime("%Y-%m")
            files.setdefault(month, []).append(_line(one))
        folder = self._of(organization)
        for month, lines in files.items():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / f"{month}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            file = os.open(path, flags, 0o600)
            try:
                _write_all(file, "".join(lines).encode())
                os.fsync(file)
            finally:
                os.close(file)
        for place in (folder, self.root):
            _flush_folder(place)

    def read(self, organization: str) -> Iterator[Kept | Unreadable]:
        for path in sorted(self._of(organization).glob("*.jsonl")):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for number, line in enumerate(lines, 1):
                    yield _read(line) or Unreadable(f"{path.name}:{number}")

    def organizations(self) -> set[str]:
        if not self.root.is_dir():
            return set()
        return {path.name for path in self.root.iterdir() if path.is_dir()}

    def _of(self, organization: str) -> Path:
        if not _NAME.match(organization):
            raise ValueError(organization)
        return self.root / organization


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


def _flush_folder(path: Path) -> None:
    if path.is_dir():
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _line(one: Kept) -> str:
    words = asdict(one.point) | {"signed_by": one.signed_by, "signature": one.signature}
    return json.dumps(words, separators=(",", ":")) + "\n"


def _read(line: str) -> Kept | None:
    try:
        words = json.loads(line)
        signed_by, signature = words.pop("signed_by"), words.pop("signature")
        kind = Pruned if words.get("kind") == "pruning" else Checkpoint
        return Kept(kind(**words), signed_by, signature)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def store() -> Store:
    """The place that the settings name."""
    return Folder(settings.DURE_CHECKPOINT_DIR)
