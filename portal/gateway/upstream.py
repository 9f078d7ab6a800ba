"""The only module that knows how bytes reach a site: HTTP/1.1 over kept connections.

A pool per target. Each exchange has its own deadlines (connect, first byte, between bytes, whole);
a reader that is slow pauses the socket; closing an exchange that has not ended closes its
connection, so that the engine stops. Nothing is ever repeated here and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections import deque
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

from portal.gateway import errors
from portal.gateway.exchange import Deadlines, Exchange, SiteFailed
from portal.gateway.outbox import Outbox, Writes

HEAD_BYTES = 32768
IDLE_SECONDS = 55.0
LOOK_AT_ONCE = 64  # exchanges, between two turns of the loop
LOOK_SECONDS = 0.1  # so much later than its deadline an exchange may be ended


class _Wire(asyncio.Protocol):
    """One connection; at most one exchange at a time."""

    __slots__ = (
        "_content_type",
        "_framed",
        "_head_bytes",
        "_heard",
        "_parser",
        "_paused",
        "_writes",
        "exchange",
        "idle_since",
        "loop",
        "pool",
        "transport",
        "used",
    )

    def __init__(self, pool: deque[_Wire], loop: asyncio.AbstractEventLoop, outbox: Outbox) -> None:
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
        self._parser: Any = httptools.HttpResponseParser(self)
        self._writes = Writes(outbox)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's does not inherit from it
        self.transport = self._writes.transport = cast(asyncio.Transport, transport)

    def start(self, exchange: Exchange, request: bytes) -> None:
        self.exchange = exchange
        self._heard = self._framed = False
        self._head_bytes = 0
        self._content_type = b""
        exchange.took(self)
        self._writes.add(request)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.abandon()  # nobody asked for this
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse("sent something that is no HTTP answer")
            return
        if not exchange.status:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and self.exchange is exchange:
                self._refuse("sent headers without an end")

    def _refuse(self, what: str) -> None:
        if self.exchange is not None:
            self.exchange.fail(SiteFailed("garbage", what))
        else:
            self.abandon()

    def on_message_begin(self) -> None:
        if self.exchange is None:
            self.abandon()  # nobody asked for it: the next request would take it for its own

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"content-type":
            self._content_type = value.split(b";")[0].strip().lower()
        elif lower in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif lower == b"retry-after" and self.exchange is not None:
            self.exchange.retry_after = value

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
        self.pool.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._parser = None  # it knows us, and a ring waits for the collector
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

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._idle: dict[str, deque[_Wire]] = {}
        self._live: set[Exchange] = set()
        self._begins: dict[tuple[str, str], bytes] = {}  # by URL and path
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, url: str, path: str, headers: bytes, body: bytes, deadlines: Deadlines
    ) -> Exchange:
        """Begin an exchange: POST ``body``. ``headers`` are whole lines. ``SiteFailed`` if no
        connection could be had."""
        loop = asyncio.get_running_loop()
        wire = self._kept(url, loop.time()) or await self._connect(url, loop, deadlines)
        begin = self._beginning(url, path)
        exchange = Exchange(loop, deadlines, self._live)
        wire.start(exchange, b"%b%d\r\n%b\r\n%b" % (begin, len(body), headers, body))
        return exchange

    def _beginning(self, url: str, path: str) -> bytes:
        """The lines that are the same for every request to a target, up to the body's length."""
        found = self._begins.get((url, path))
        if found is None:
            parts = urlsplit(url)  # a proxy of several engines tells them apart by a path
            found = (
                f"POST {parts.path.rstrip('/')}{path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
                "content-type: application/json\r\ncontent-length: "
            ).encode()
            self._begins[url, path] = found
        return found

    async def keep_time(self) -> None:
        """End what waits for longer than its deadlines allow; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = asyncio.get_running_loop().time()
            for number, exchange in enumerate(list(self._live), 1):
                if exchange in self._live:  # it may have ended in a turn between
                    exchange.look_at_clock(now)
                if not number % LOOK_AT_ONCE:  # a thousand are 2 ms, in which every stream waits
                    await asyncio.sleep(0)

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
                    lambda: _Wire(idle, loop, self._outbox),
                    parts.hostname or "",
                    parts.port or (443 if secure else 80),
                    ssl=self._tls if secure else None,
                )
        except (OSError, TimeoutError) as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise errors.out_of_files() from error  # ours, and no failure of the site
            raise SiteFailed("connect", "could not be reached") from error
        return wire

    def forget(self, urls: set[str]) -> None:
        """Close what is kept to targets that are no longer in the table."""
        for url in self._idle.keys() - urls:
            idle = self._idle[url]
            while idle:
                idle.pop().abandon()
            del self._idle[url]
        for pair in [one for one in self._begins if one[0] not in urls]:
            del self._begins[pair]

    def close(self) -> None:
        """Close all kept connections."""
        self.forget(set())
