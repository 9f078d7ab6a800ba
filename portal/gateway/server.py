"""uvicorn's HTTP/1.1 protocol, made stricter: what two parsers could read differently is refused.

Headers: at most 32 KiB within 10 s, one ``Host``, framing that is beyond doubt; trailers are
ignored. Every refusal has OpenAI's shape and closes the connection.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from portal.gateway.errors import Problem

HEADER_BYTES = 32768
HEADER_COUNT = 100
URL_BYTES = 8192
HEADER_SECONDS = 10.0
CHUNK_OVERHEAD = 65536 + HIGH_WATER_LIMIT

_HEADERS = Problem(
    431, "headers_too_large", f"Headers are larger than {HEADER_BYTES} bytes or too many."
)
_URL = Problem(414, "url_too_long", f"The address is longer than {URL_BYTES} bytes.")
_SLOW = Problem(408, "request_timeout", f"Headers did not arrive within {HEADER_SECONDS:g} s.")
_MALFORMED = Problem(400, "malformed_request", "This is not a well-formed HTTP request.")
_FRAMING = Problem(400, "malformed_request", "Where the request ends is not beyond doubt.")
_HOST = Problem(400, "malformed_request", "Send exactly one Host header.")
_TARGET = Problem(400, "malformed_request", "Send the path alone: no whole address, no CONNECT.")


class StrictProtocol(HttpToolsProtocol):
    """One connection of a client."""

    _in_headers = True
    _in_body = False
    _taken = 0  # header bytes of this request
    _count = 0
    _raw = 0  # bytes fed since the headers were complete
    _body = 0
    _problem: Problem | None = None
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            self._stop_timer()
            return
        if self._in_headers:
            if self._header_timer is None:
                self._expect_headers()
            self._raw += len(data)
            if self._raw > HEADER_BYTES + URL_BYTES:
                self._refuse(_HEADERS)
            return
        self._stop_timer()
        if not self._in_body:
            return
        self._raw += len(data)
        if self._raw > CHUNK_OVERHEAD + 8 * self._body:
            self._refuse(_FRAMING)  # endless chunk extensions

    def on_message_begin(self) -> None:
        self._in_headers = True
        self._taken = self._count = self._raw = self._body = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_BYTES:
            self._stop(_URL)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_headers:
            return  # a trailer: never authority for anything
        self._taken += len(name) + len(value)
        self._count += 1
        if self._taken > HEADER_BYTES or self._count > HEADER_COUNT:
            self._stop(_HEADERS)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_framing()
        self._in_headers = False
        self._in_body = True
        self._raw = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False

    def _check_framing(self) -> None:
        hosts = lengths = encodings = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                lengths += 1
                if not value.isdigit():
                    self._stop(_FRAMING)
            elif name == b"transfer-encoding":
                encodings += 1
                if value.strip().lower() != b"chunked":
                    self._stop(_FRAMING)
        old = self.parser.get_http_version() == "1.0"
        if lengths + encodings > 1 or (encodings and old):
            self._stop(_FRAMING)
        if hosts > 1 or (not hosts and not old):
            self._stop(_HOST)
        if not self.url.startswith(b"/"):
            self._stop(_TARGET)

    def _stop(self, problem: Problem) -> None:
        """Out of the parser: uvicorn then asks for the 400, which says this."""
        self._problem = problem
        raise httptools.HttpParserError(problem.code)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._problem or _MALFORMED)

    def _refuse(self, problem: Problem) -> None:
        self._stop_timer()
        if self.cycle is not None and self.cycle.response_started:
            self.transport.close()  # in the middle of an answer nothing can be said
            return
        content = problem.body()
        self.transport.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[problem.status], len(content), content)
        )
        self.transport.close()

    def _expect_headers(self) -> None:
        self._header_timer = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self._header_timer = None
        if self._raw or self.cycle is None:
            self._refuse(_SLOW)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
