"""Files and batches: passed on to the portal as bytes, both ways, so that one ``base_url`` does.

The portal asks who it is; here the key is only looked at for its form. Nothing is kept and nothing
is repeated. Bounds: the body's size, and a time for each step. With the portal away this answers
503, and models are served as before.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httptools

from portal.gateway.client import Client, ClientLeft
from portal.gateway.errors import Problem, retry_after
from portal.gateway.request import Request

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

METHODS = ("GET", "POST", "DELETE")
ANSWER_SECONDS = 180.0  # for the portal to read a whole file line by line
BETWEEN_SECONDS = 30.0  # two pieces of what a client sends
READ_BYTES = 65_536
HEAD_BYTES = 32_768
_PATH = re.compile(r"/v1/(files|batches)(/[A-Za-z0-9_-]{1,64}){0,2}")
_FORTH = (b"authorization", b"content-type", b"accept", b"idempotency-key", b"user-agent")
_BACK = (b"content-type", b"content-disposition", b"retry-after", b"allow", b"www-authenticate")
_KEPT = b"cache-control: private, no-store\r\nx-content-type-options: nosniff\r\n"


def concerns(path: str) -> bool:
    """Whether the portal answers at this path."""
    return _PATH.fullmatch(path) is not None


def _away() -> Problem:
    return Problem(
        503,
        "portal_unavailable",
        "Files and batches are kept by the portal, which does not answer at the moment. Models "
        "answer as before. Try again shortly.",
        kind="server_error",
        headers=retry_after(5),
    )


class _Answer:
    """The portal's answer, while it is read."""

    def __init__(self) -> None:
        self.parser: Any = httptools.HttpResponseParser(self)
        self.status = 0
        self.lines = b""
        self.pieces: list[bytes] = []
        self.ended = False
        self.head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head_bytes += len(name) + len(value)
        if name.lower() in _BACK:
            self.lines += b"%b: %b\r\n" % (name.lower(), value)

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.ended = True


def _head(request: Request, netloc: str, proxies: int) -> bytes:
    target = request.path.encode() + (b"?" + request.query if request.query else b"")
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), target), b"host: " + netloc.encode()]
    for name in _FORTH:
        if (value := request.header(name)) is not None:
            lines.append(b"%b: %b" % (name, value))
    lines.append(b"x-forwarded-for: " + request.address(proxies).encode("ascii", "replace"))
    lines.append(b"connection: close")
    if (length := request.header(b"content-length")) is not None:
        lines.append(b"content-length: " + length)
    elif b"transfer-encoding" in request.headers:
        lines.append(b"transfer-encoding: chunked")
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def serve(gateway: Gateway, client: Client, request_id: str) -> int:
    """Pass a request on, and its answer back. The answer's status."""
    request, config = client.request, gateway.config
    parts = urlsplit(config.portal_url)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    try:
        async with asyncio.timeout(config.connect_seconds):
            reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    except (OSError, TimeoutError):
        raise _away() from None
    feed = request.feed
    assert feed is not None
    if client.left:
        writer.close()
        raise ClientLeft

    def leave() -> None:
        feed.lose()
        writer.transport.abort()

    client.watch(leave)
    sending = asyncio.create_task(
        _forth(request, writer, _head(request, parts.netloc, config.proxies))
    )
    try:
        first = await _first(reader, sending)
        return await _back(client, reader, first, request_id, config.between_seconds)
    except (OSError, TimeoutError, httptools.HttpParserError):
        if client.left:
            raise ClientLeft from None
        if client.started:
            client.abandon()  # half of a file must not look like a whole one
            return 502
        raise _away() from None
    finally:
        client.close()
        sending.cancel()
        with suppress(asyncio.CancelledError, ClientLeft, OSError, TimeoutError):
            await sending
        writer.close()
        if not feed.ended:
            request.keep_alive = False


async def _forth(request: Request, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.write(head)
    feed, chunked = request.feed, b"transfer-encoding" in request.headers
    assert feed is not None
    while True:
        async with asyncio.timeout(BETWEEN_SECONDS):
            piece = await feed.piece()
        if not piece:
            break
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _first(reader: asyncio.StreamReader, sending: asyncio.Task[None]) -> bytes:
    """The beginning of the answer. Its time runs from the end of the body; an answer that comes
    before it is a refusal."""
    reading = asyncio.create_task(reader.read(READ_BYTES))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            await sending  # what went wrong with it is told
        async with asyncio.timeout(ANSWER_SECONDS):
            return await reading
    finally:
        reading.cancel()


async def _back(
    client: Client, reader: asyncio.StreamReader, piece: bytes, request_id: str, between: float
) -> int:
    answer = _Answer()
    while True:
        if not piece:
            raise ConnectionResetError
        answer.parser.feed_data(piece)
        if answer.head_bytes > HEAD_BYTES:
            raise ConnectionResetError
        if answer.status and not client.started:
            _begin(client, answer, request_id)
        await _write(client, answer)
        if answer.ended:
            client.finish(b"")
            return answer.status
        async with asyncio.timeout(between):
            piece = await reader.read(READ_BYTES)


def _begin(client: Client, answer: _Answer, request_id: str) -> None:
    feed = client.request.feed
    if feed is not None and not feed.ended:
        client.request.keep_alive = False  # nobody reads the rest of the body
    client.start(
        answer.status, answer.lines + _KEPT + b"x-request-id: %b\r\n" % request_id.encode()
    )


async def _write(client: Client, answer: _Answer) -> None:
    for piece in answer.pieces:
        if client.behind:
            await client.caught_up()
        client.write(piece)
    answer.pieces.clear()
