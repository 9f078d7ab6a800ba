"""The only module that knows how bytes reach a site: HTTP/1.1 over kept connections.

A pool per target. Each exchange has its own deadlines (connect, first byte, between bytes, whole);
a reader that is slow pauses the socket; closing an exchange that has not ended closes its
connection, so that the engine stops. Nothing is ever repeated here and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import urlsplit

import httptools

HEAD_BYTES = 32768
HIGH_WATER = 262144
IDLE_SECONDS = 55.0

FailureKind = Literal["connect", "stale", "closed", "timeout", "garbage", "status", "busy"]


class SiteFailed(Exception):
    """No answer, or no more of it. ``stale`` means that a kept connection had been closed by the
    site before it could have read the request."""

    def __init__(self, kind: FailureKind, what: str) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds; ``whole`` is a moment of the loop's clock by which everything has ended."""

    connect: float
    first_byte: float
    between: float
    whole: float


class Exchange:
    """One request and its answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> None:
        self.status = 0
        self.content_type = b""
        self.ended = False  # the answer is whole
        self._loop = loop
        self._deadlines = deadlines
        self._pieces: list[bytes] = []
        self._size = 0
        self._failure: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wire: _Wire | None = None
        self._limit = min(loop.time() + deadlines.first_byte, deadlines.whole)
        self._timer = loop.call_at(self._limit, self._look_at_clock)

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
            content = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            if self._wire is not None:
                self._wire.resume()
            return content
        if self._failure is not None:
            raise self._failure
        return b""

    async def read_all(self, most: int) -> bytes:
        """The whole answer, at most ``most`` bytes."""
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

    def _let_go(self) -> None:
        self._timer.cancel()
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abandon()

    # Called by the wire.

    def took(self, wire: _Wire) -> None:
        self._wire = wire

    def began(self, status: int, content_type: bytes) -> None:
        self.content_type = content_type
        self.status = status
        self._progress()

    def came(self, piece: bytes) -> bool:
        """Whether the reader has fallen behind."""
        self._pieces.append(piece)
        self._size += len(piece)
        self._progress()
        return self._size > HIGH_WATER

    def end(self) -> None:
        self.ended = True
        self._wire = None
        self._timer.cancel()
        self._wake()

    def _progress(self) -> None:
        # One timer, looked at when it fires: moving it at every chunk would cost more.
        self._limit = min(self._loop.time() + self._deadlines.between, self._deadlines.whole)
        self._wake()

    def _look_at_clock(self) -> None:
        if self._loop.time() < self._limit - 0.001:
            self._timer = self._loop.call_at(self._limit, self._look_at_clock)
        elif self._size and self._limit < self._deadlines.whole:
            self._progress()  # the reader is behind, not the site
            self._timer = self._loop.call_at(self._limit, self._look_at_clock)
        else:
            self.fail(SiteFailed("timeout", "did not answer in time"))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter


class _Wire(asyncio.Protocol):
    """One connection; at most one exchange at a time."""

    def __init__(self, pool: deque[_Wire], loop: asyncio.AbstractEventLoop) -> None:
        self.pool = pool
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self.exchange: Exchange | None = None
        self.used = False
        self.idle_since = 0.0
        self._paused = False
        self._heard = False
        self._framed = False
        self._head_bytes = 0
        self._content_type = b""
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    def start(self, exchange: Exchange, request: bytes) -> None:
        assert self.transport is not None
        self.exchange = exchange
        self._heard = self._framed = False
        self._head_bytes = 0
        self._content_type = b""
        exchange.took(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:
            self.abandon()  # nobody asked for this
            return
        self._heard = True
        if not self.exchange.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse("sent something that is no HTTP answer")
            return
        in_head = self.exchange is not None and not self.exchange.status
        if in_head and self._head_bytes > HEAD_BYTES:
            self._refuse("sent headers without an end")

    def _refuse(self, what: str) -> None:
        if self.exchange is not None:
            self.exchange.fail(SiteFailed("garbage", what))
        else:
            self.abandon()

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"content-type":
            self._content_type = value.split(b";")[0].strip().lower()
        elif lower in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        if self.exchange is not None:
            self.exchange.began(self._parser.get_status_code(), self._content_type)

    def on_body(self, body: bytes) -> None:
        if self.exchange is not None and self.exchange.came(body) and not self._paused:
            self._paused = True
            assert self.transport is not None
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        exchange, self.exchange = self.exchange, None
        keep = self._framed and self._parser.should_keep_alive()
        self.resume()
        if exchange is not None:
            exchange.end()
        if not keep or self.transport is None or self.transport.is_closing():
            self.abandon()
            return
        self.used = True
        self.idle_since = self.loop.time()
        self._parser = httptools.HttpResponseParser(self)
        self.pool.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.pool:
            self.pool.remove(self)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if exc is None and exchange.status and not self._framed:
            exchange.end()  # an answer that ends with its connection
        elif self.used and not self._heard:
            exchange.fail(SiteFailed("stale", "had closed a kept connection"))
        else:
            exchange.fail(SiteFailed("closed", "closed the connection"))

    def resume(self) -> None:
        if self._paused and self.transport is not None and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def abandon(self) -> None:
        self.exchange = None
        if self.transport is not None:
            self.transport.abort()


class Pool:
    """Kept connections to all targets, by URL. Close it with the program."""

    def __init__(self) -> None:
        self._idle: dict[str, deque[_Wire]] = {}
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, url: str, path: str, headers: bytes, body: bytes, deadlines: Deadlines
    ) -> Exchange:
        """Begin an exchange: POST ``body``. ``headers`` are whole lines. ``SiteFailed`` if no
        connection could be had."""
        loop = asyncio.get_running_loop()
        wire = self._kept(url, loop.time()) or await self._connect(url, loop, deadlines)
        request = (
            f"POST {path} HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        ).encode()
        exchange = Exchange(loop, deadlines)
        wire.start(exchange, b"%b%b\r\n%b" % (request, headers, body))
        return exchange

    def _kept(self, url: str, now: float) -> _Wire | None:
        idle = self._idle.setdefault(url, deque())
        while idle:
            wire = idle.pop()
            if wire.transport is not None and not wire.transport.is_closing():
                if now - wire.idle_since < IDLE_SECONDS:
                    return wire
                wire.abandon()
        return None

    async def _connect(
        self, url: str, loop: asyncio.AbstractEventLoop, deadlines: Deadlines
    ) -> _Wire:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        if secure and self._tls is None:
            self._tls = ssl.create_default_context()
        idle = self._idle[url]
        try:
            async with asyncio.timeout_at(min(loop.time() + deadlines.connect, deadlines.whole)):
                _, wire = await loop.create_connection(
                    lambda: _Wire(idle, loop),
                    parts.hostname or "",
                    parts.port or (443 if secure else 80),
                    ssl=self._tls if secure else None,
                )
        except (OSError, TimeoutError) as error:
            raise SiteFailed("connect", "could not be reached") from error
        return wire

    def forget(self, urls: set[str]) -> None:
        """Close what is kept to targets that are no longer in the table."""
        for url in self._idle.keys() - urls:
            idle = self._idle[url]
            while idle:
                idle.pop().abandon()
            del self._idle[url]

    def close(self) -> None:
        """Close all kept connections."""
        self.forget(set())
