"""One client's connection: HTTP/1.1, its bytes parsed by llhttp, and made stricter: what two
parsers could read differently is refused.

Headers: at most 32 KiB within 10 s, one ``Host``, framing that is beyond doubt; trailers are
ignored. Bodies: bounded in size and time; what is refused before its body is read with it is
answered as soon as that is safe. Pipelined requests are answered in order, one at a time. Every
refusal has OpenAI's shape.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import httptools

from portal.gateway import framing, malformed
from portal.gateway.client import JSON, Client, head, lines
from portal.gateway.config import Config
from portal.gateway.errors import Problem
from portal.gateway.feed import Feed
from portal.gateway.malformed import HEADER_BYTES, URL_BYTES
from portal.gateway.outbox import Writes
from portal.gateway.request import Request
from portal.lib.ids import ApiKeyParts

if TYPE_CHECKING:
    from portal.gateway.server import Server

CHUNK_OVERHEAD = 49152  # chunk sizes and extensions, beside eight times the body
SLICE_BYTES = 16384  # fed to the parser at once, so that what it keeps to itself is bounded
MOST_PIECES = 16384  # of one body; real clients' have kilobytes each
READ_ON_BYTES = 65536  # of a refused request's body, so that its connection can be kept
ASIDE_BYTES = 65536  # kept of what follows a request that waits
LINGER_BYTES = 16 << 20
LINGER_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 75.0


class Connection(asyncio.Protocol):
    """From the first byte to the last. ``deadline`` is a moment of the loop's clock, looked at
    by the server; 0 while a request is being answered, which has deadlines of its own."""

    def __init__(self, server: Server) -> None:
        self.loop = server.loop
        self.ending = False  # nothing more is begun on it
        self.paused = False  # the client does not take what was sent
        self.client: Client | None = None  # being answered
        self.deadline = self.loop.time() + server.config.header_seconds
        self._server = server
        self._transport: asyncio.Transport | None = None
        self.writes = Writes(server.outbox)  # to the client; kept while it is slow (``paused``)
        self._parser: Any = httptools.HttpRequestParser(self)
        self._peer = ""
        self._known: tuple[bytes, ApiKeyParts] | None = None  # clients send the same key again
        self._reading: Request | None = None
        self._read: deque[Request] = deque()
        self._refusal: Problem | None = None  # of the bytes, once everything before is answered
        self._lingering = False  # nothing that comes is looked at
        self._drained: asyncio.Future[None] | None = None
        self._advancing = self._in_body = self._held_back = self._used = False
        self._timed = True  # the deadline is that of what is being read: head or body
        self._url = self._aside = b""
        self._head: list[tuple[bytes, bytes]] = []  # its lines; ``_feed`` bounds them
        self._parts: list[bytes] = []
        self._raw = self._body = 0

    @property
    def config(self) -> Config:
        return self._server.config

    @property
    def idle(self) -> bool:
        """Between two requests."""
        return self.client is None and not self._read and self._reading is None

    @property
    def stays(self) -> bool:
        """Whether there is anything after the answer that is given now."""
        if self._server.draining:
            return False
        return bool(self._read) or self._refusal is not None or not self.ending

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's does not inherit from it
        self._transport = self.writes.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._server.welcome(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._transport = self.writes.transport = None
        self._parser = None  # it knows us, and a ring waits for the collector
        self.ending = True
        self._read.clear()
        self._aside = b""
        self.resume_writing()
        if self.client is not None:
            self.client.gone()

    def data_received(self, data: bytes) -> None:
        if self.ending:
            self._linger(len(data))
        elif self._read:
            self._keep(data)
        elif len(data) <= SLICE_BYTES:
            self._feed(data)
        else:
            view = memoryview(data)
            for start in range(0, len(data), SLICE_BYTES):
                if not self.ending:
                    self._feed(view[start : start + SLICE_BYTES])
        if self._read and self.client is None:
            self.advance()

    def _keep(self, data: bytes) -> None:
        """A request waits already: what follows is looked at when it was begun. Reading goes on for
        a while, or it would not be heard that the client leaves."""
        self._aside += data
        if len(self._aside) > ASIDE_BYTES and not self._held_back and self._transport is not None:
            self._held_back = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self.paused = True
        if self.client is not None:
            self.client.behind = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.client is not None:
            self.client.behind = self.client.left
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    async def drained(self) -> None:
        """Until the client has taken what was sent, or is gone."""
        self._drained = self.loop.create_future()
        await self._drained

    # Requests, one after the other.

    def advance(self) -> None:
        """Begin what was read, as far as it can be answered at once; then what was refused."""
        if self._advancing:
            return
        self._advancing = True
        while self._read and self.client is None and self._transport is not None:
            request = self._read.popleft()
            self.deadline = 0.0
            self.client = Client(self, request)
            self._server.begin(self.client)
        self._advancing = False
        if self._transport is None:
            return
        if self._aside and not self._read:
            aside, self._aside = self._aside, b""
            if self._held_back:
                self._held_back = False
                self._transport.resume_reading()
            if not self.ending:
                self.data_received(aside)
                return
        if self.client is not None:
            return
        if self._refusal is not None:
            self._say(self._refusal)
        elif self.ending:
            self._close()

    def answered(self, client: Client) -> None:
        """The end of every answer, whole or not."""
        self.client = None
        if not client.finished or not client.request.keep_alive or self._server.draining:
            self.ending = True
            self._read.clear()
            self._refusal = None  # it would stand where the answer ends
        if self._reading is None:
            self.deadline = self.loop.time() + KEEP_ALIVE_SECONDS
        else:
            self._time()
        self.advance()

    def end(self) -> None:
        """No further request; at once if nothing is being answered."""
        self.ending = True
        if self.client is None:
            self._close()

    def abort(self) -> None:
        """At once, whatever was not sent."""
        if self._transport is not None:
            self._transport.abort()

    def too_late(self) -> None:
        """Its deadline has passed."""
        if self._lingering:
            self.abort()
        elif self.client is not None:
            self.deadline = 0.0  # what is being answered comes first
        elif self._in_body:
            self._refuse(malformed.too_slow(self.config.body_seconds, "The request"))
        elif self._reading is not None or not self._used:
            self._refuse(malformed.too_slow(self.config.header_seconds, "Headers"))
        else:
            self._close()  # kept, and silent

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._reading = Request(self._peer, self._known)
        self._url = b""
        self._raw = self._body = 0
        self._timed = False

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > URL_BYTES:
            self._stop(malformed.URL)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # a trailer is never authority for anything
            self._head.append((name, value))

    def on_headers_complete(self) -> None:
        request = self._reading
        assert request is not None
        sent, self._head = self._head, []
        self._stop_at(framing.name_lines(request, sent))
        request.method = self._parser.get_method().decode("ascii")
        version = self._parser.get_http_version()
        request.old = version == "1.0"
        if version not in ("1.0", "1.1"):
            self._stop(malformed.VERSION)
        upgrade = self._parser.should_upgrade()
        self._stop_at(framing.doubt(request, self._url, upgrade=upgrade))
        length = int(request.headers.get(b"content-length", b"0"))
        path, _, request.query = self._url.partition(b"?")
        request.path = path.decode("ascii", "replace")
        self._in_body = True
        self._raw = 0
        self._timed = False
        request.problem = self._server.look(request)
        self._known = request.known
        if request.problem is None:
            most = self.config.file_bytes if request.passes_on else self.config.body_bytes
            if length > most:
                request.problem = malformed.too_large(most)
        if request.problem is not None and length > READ_ON_BYTES:
            self._stop(request.problem)
        self._expect(request)
        if request.problem is None and request.passes_on:
            request.feed = Feed(self._transport)
            self._read.append(request)  # it is begun before its body is here

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        request = self._reading
        assert request is not None
        if request.feed is not None:
            if self._body > self.config.file_bytes:
                request.feed.lose()
                self._stop(malformed.too_large(self.config.file_bytes))
            request.feed.came(body)
        elif request.problem is None:
            self._parts.append(body)
            if self._body > self.config.body_bytes or len(self._parts) > MOST_PIECES:
                request.problem = malformed.too_large(self.config.body_bytes)
        if request.problem is not None:
            self._parts.clear()
            if self._body > READ_ON_BYTES:
                self._stop(request.problem)

    def on_message_complete(self) -> None:
        request, self._reading = self._reading, None
        assert request is not None
        if self._parts:
            request.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
        request.keep_alive = self._parser.should_keep_alive()
        if not request.keep_alive:
            self.ending = True
        self._in_body = False
        self._used = True
        if request.feed is not None:
            request.feed.end()
        elif not self._shed(request):
            self._read.append(request)

    def _shed(self, request: Request) -> bool:
        """Whether it was answered already: where too many come, this is what is done most, and it
        takes from those who are served."""
        if request.problem is None or self.client is not None or self._read or self.ending:
            return False
        answer = self._server.shed(request)
        if answer is None:
            return False
        self.writes.add(answer)
        self.deadline = self.loop.time() + KEEP_ALIVE_SECONDS
        return True

    # What is not beyond doubt.

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.ending = True  # what follows is not ours to read
            return
        except httptools.HttpParserError:
            if not self.ending:
                self._refuse(self._refusal or malformed.MALFORMED)
            return
        if self._reading is None:
            return
        if not self._timed:
            self._time()
        self._raw += len(data)
        if self._in_body:
            if self._raw > CHUNK_OVERHEAD + 8 * self._body:
                self._refuse(malformed.FRAMING)  # endless chunk extensions
        elif self._raw > HEADER_BYTES + URL_BYTES:
            self._refuse(malformed.HEADERS)

    def _expect(self, request: Request) -> None:
        expectation = request.headers.get(b"expect")
        if expectation is None or request.old:
            return
        if expectation.lower() != b"100-continue":
            self._stop(malformed.EXPECT)
        if request.problem is not None:
            self._stop(request.problem)
        if self.client is None and not self._read:
            self.writes.add(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _time(self) -> None:
        """Head and body have a time each, from here on."""
        self._timed = True
        seconds = self.config.body_seconds if self._in_body else self.config.header_seconds
        self.deadline = self.loop.time() + seconds

    def _stop_at(self, problem: Problem | None) -> None:
        if problem is not None:
            self._stop(problem)

    def _stop(self, problem: Problem) -> None:
        """Out of the parser; ``_feed`` then refuses."""
        self._refusal = problem
        raise httptools.HttpParserError(problem.code)

    def _refuse(self, problem: Problem) -> None:
        """Nothing more is read. What came before is answered first."""
        self._refusal = problem
        self._reading = None
        self.ending = True
        self._parts.clear()
        if self.client is None and not self._read:
            self._say(problem)

    def _say(self, problem: Problem) -> None:
        """The last answer. A connection that is closed while its client still sends is reset, and
        the answer is lost with it: so what comes is read for a while and thrown away."""
        self._refusal = None
        if self._transport is None:
            return
        self._server.refused(problem)
        content = problem.body()
        headers = b"content-type: %b\r\ncontent-length: %d\r\n" % (JSON, len(content))
        headers += lines(problem.headers)
        self.writes.add(head(problem.status, headers, keep_alive=False) + content)
        self.writes.flush()
        self._lingering = True
        self.deadline = self.loop.time() + LINGER_SECONDS
        self._raw = 0
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._close()

    def _close(self) -> None:
        """Once everything was sent; a client that does not take it has its time, too."""
        if self._transport is not None:
            self.ending = self._lingering = True
            self.deadline = self.loop.time() + self.config.stuck_seconds
            self.writes.flush()
            self._transport.close()

    def _linger(self, size: int) -> None:
        if not self._lingering:
            return
        self._raw += size
        if self._raw > LINGER_BYTES:
            self.abort()
