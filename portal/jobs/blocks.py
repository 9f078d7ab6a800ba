"""Bytes in sealed blocks of 64 KiB, whatever keeps them.

Each block is bound to its file and place, so that a copy of the storage says nothing without
``DURE_SEAL_KEYS``, and no block can be put where another one stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

from django.conf import settings

from portal.lib.sealing import seal_bytes, unseal_bytes

BLOCK = 65_536
SEALED = BLOCK + 28  # a nonce and a tag


class Blocks:
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


def opened(name: str, start: int, sealed_from: Callable[[int], Iterator[bytes]]) -> Iterator[bytes]:
    """The bytes from ``start``. ``sealed_from(number)``: sealed blocks from that place on.
    ``SealBroken`` also where the last one is missing."""
    number, skip = divmod(start, BLOCK)
    for sealed in sealed_from(number):
        block = unseal_bytes(sealed, settings.DURE_SEAL_KEYS, _bound(name, number))
        if block[skip:]:
            yield block[skip:]
        if len(block) < BLOCK:
            return
        number, skip = number + 1, 0


def _bound(name: str, number: int) -> bytes:
    return f"job file {name} {number}".encode()
