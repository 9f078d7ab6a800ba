"""A file of weights that comes over the network: bounded, summed on its way, kept only if it is the
wanted one. Standard library only, and no network: who reads the pieces hands them over.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self


class Differs(Exception):
    """What came is not what was wanted. The sentence says in what."""


class Arrival:
    """One file on its way, in ``part`` until it is kept. Use it in a ``with``, which leaves nothing
    of a file that was not kept. ``digest``: ``sha256:…``; ``most``: bytes."""

    def __init__(self, part: Path, digest: str, *, most: int) -> None:
        self.size = 0
        self._part, self._digest, self._most = part, digest, most
        self._sums = hashlib.sha256()

    def __enter__(self) -> Self:
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def take(self, piece: bytes) -> None:
        """The next bytes. ``Differs`` as soon as there are too many."""
        self.size += len(piece)
        if self.size > self._most:
            raise Differs("The weights there are larger than they may be.")
        self._sums.update(piece)
        self._file.write(piece)

    def keep(self, path: Path) -> None:
        """All of it has come: put it at ``path``. ``Differs``."""
        if f"sha256:{self._sums.hexdigest()}" != self._digest:
            raise Differs("The weights there have another digest than the wanted ones.")
        self._file.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part.replace(path)
