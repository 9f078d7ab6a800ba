"""One request to a site and its answer, as it is awaited: status, pieces, an end or a failure.

Deadlines are kept here: first byte, between bytes, whole. Whoever took an exchange closes it; one
that has not ended closes its connection with it, so that the engine stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

HIGH_WATER = 262144  # bytes that wait for their reader before the socket is paused

FailureKind = Literal["connect", "stale", "closed", "timeout", "garbage", "status", "busy"]


class SiteFailed(Exception):
    """No answer, or no more of it. ``stale`` means that a kept connection had been closed by the
    site before it could have read the request."""

    def __init__(self, kind: FailureKind, what: str) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.retry_after = 0  # seconds that a site without room asked for


class Deadlines(msgspec.Struct, frozen=True, gc=False):
    """Seconds; ``whole`` is a moment of the loop's clock by which everything has ended."""

    connect: float
    first_byte: float
    between: float
    whole: float


class Wire(Protocol):
    """What an exchange needs of its connection."""

    def resume(self) -> None:
        """The reader has caught up."""

    def abandon(self) -> None:
        """Close at once."""


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_deadlines",
        "_enough",
        "_failure",
        "_heard",
        "_limit",
        "_live",
        "_loop",
        "_pieces",
        "_size",
        "_take",
        "_waiter",
        "_wire",
        "content_type",
        "ended",
        "on_over",
        "retry_after",
        "status",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines, live: set[Exchange]
    ) -> None:
        self.status = 0
        self.content_type = b""
        self.retry_after = b""
        self.on_over: Callable[[], None] | None = None  # when the site works on it no longer
        self.ended = False  # the answer is whole
        self._loop = loop
        self._deadlines = deadlines
        self._live = live  # those whose clock is looked at
        live.add(self)
        self._pieces: list[bytes] = []
        self._size = 0
        self._failure: BaseException | None = None
        self._take: Callable[[bytes], bool] | None = None
        self._enough = False  # said by it
        self._waiter: asyncio.Future[None] | None = None
        self._wire: Wire | None = None
        self._heard = False  # something came since the clock was looked at
        self._limit = min(loop.time() + deadlines.first_byte, deadlines.whole)

    async def head(self) -> int:
        """The status, once the headers are here."""
        while not self.status and self._failure is None:
            await self._wait()
        if not self.status and self._failure is not None:
            raise self._failure
        return self.status

    async def read(self) -> bytes:
        """What has come since the last read; empty at the end of a whole answer."""
        while not self._pieces and not self.ended and self._failure is None:
            await self._wait()
        if self._pieces:
            return self._take_all()
        if self._failure is not None:
            raise self._failure
        return b""

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """Give every piece to ``take`` in the moment in which it comes, without a turn of the
        loop between. Returns ``True`` when ``take`` wants no more for now, ``False`` at the end of
        a whole answer."""
        while True:
            if self._pieces and not take(self._take_all()):
                return True
            if self._failure is not None:
                raise self._failure
            if self.ended:
                return False
            self._take = take
            self._enough = False
            await self._wait()
            self._take = None
            if self._enough:
                return True

    def _take_all(self) -> bytes:
        content = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._wire is not None:
            self._wire.resume()
        return content

    async def read_all(self, most: int) -> bytes:
        """The whole answer, at most ``most`` bytes."""
        if self.ended and self._size <= most:
            return self._take_all()
        parts: list[bytes] = []
        size = 0
        while piece := await self.read():
            parts.append(piece)
            size += len(piece)
            if size > most:
                raise SiteFailed("garbage", "sent more than an answer can be")
        return b"".join(parts)

    def fail(self, failure: BaseException) -> None:
        """End it for a reason; the next read raises it. The connection is not kept."""
        if self.ended or self._failure is not None:
            return
        self._failure = failure
        self._let_go()
        self._wake()

    def close(self) -> None:
        """Always call this; the site is told to stop if it has not ended."""
        self._let_go()
        self._failure = None  # its traceback leads back to here: a ring for the collector

    def _let_go(self) -> None:
        self._live.discard(self)
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abandon()
        self._is_over()

    def _is_over(self) -> None:
        if self.on_over is not None:
            self.on_over()

    # Called by the wire.

    def took(self, wire: Wire) -> None:
        self._wire = wire

    def began(self, status: int, content_type: bytes) -> None:
        self.content_type = content_type
        self.status = status
        self._progress()

    def came(self, piece: bytes) -> bool:
        """Whether the reader has fallen behind."""
        if self._take is not None:
            self._heard = True
            if not self._take(piece):
                self._take = None
                self._enough = True
                self._wake()
            return False
        self._pieces.append(piece)
        self._size += len(piece)
        self._progress()
        return self._size > HIGH_WATER

    def end(self) -> None:
        self.ended = True
        self._wire = None
        self._live.discard(self)
        self._wake()
        self._is_over()

    def _progress(self) -> None:
        self._limit = min(self._loop.time() + self._deadlines.between, self._deadlines.whole)
        self._wake()

    def look_at_clock(self, now: float) -> None:
        """Called every now and then by the pool: a timer of its own would cost each exchange more
        than everything else here."""
        if self._heard:
            self._heard = False
            next_limit, whole = now + self._deadlines.between, self._deadlines.whole
            self._limit = next_limit if next_limit < whole else whole  # min() is twice as dear
        if now < self._limit:
            return
        if self._size and self._limit < self._deadlines.whole:
            self._progress()  # the reader is behind, not the site
        else:
            self.fail(SiteFailed("timeout", "did not answer in time"))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter
