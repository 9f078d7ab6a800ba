"""A request's body while it comes, for the one reader who does not want it whole."""

from __future__ import annotations

import asyncio
from collections import deque

from portal.gateway.client import ClientLeft

HIGH_WATER = 262_144  # bytes that wait for their reader before the client is paused


class Feed:
    """Pieces in their order. A reader that is slow pauses the client."""

    __slots__ = ("_loop", "_paused", "_pieces", "_size", "_transport", "_waiter", "ended", "lost")

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self.ended = False
        self.lost = False
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    def came(self, piece: bytes) -> None:
        """The next bytes."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def end(self) -> None:
        """That was all."""
        self.ended = True
        self._wake()

    def lose(self) -> None:
        """There is nobody who would send the rest."""
        self.lost = True
        self._wake()

    async def piece(self) -> bytes:
        """The next bytes; empty at the end. ``ClientLeft`` if the end never comes."""
        while not self._pieces:
            if self.lost:
                raise ClientLeft
            if self.ended:
                return b""
            self._waiter = self._loop.create_future()
            await self._waiter
        found = self._pieces.popleft()
        self._size -= len(found)
        if self._paused and not self._size:
            self._paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
        return found

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
