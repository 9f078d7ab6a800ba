"""The client's side of an exchange: what was sent to it, and whether it is still there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from portal.gateway.errors import Header

if TYPE_CHECKING:
    from portal.gateway.connection import Connection
    from portal.gateway.request import Request

JSON: Header = (b"content-type", b"application/json")
STATUS_LINES = {
    one.value: b"HTTP/1.1 %d %b\r\n" % (one.value, one.phrase.encode()) for one in HTTPStatus
}


class ClientLeft(Exception):
    """The client closed its connection; nobody is there to be answered."""


class _Date:
    """The ``date`` line of this second."""

    def __init__(self) -> None:
        self.second = 0
        self.line = b""

    def now(self) -> bytes:
        second = int(time.time())
        if second != self.second:
            self.second = second
            self.line = f"date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self.line


_date = _Date()


def head(status: int, headers: Iterable[Header], *, keep_alive: bool) -> bytes:
    """The head of an answer, up to its blank line."""
    lines = [STATUS_LINES[status], _date.now()]
    lines += [b"%b: %b\r\n" % one for one in headers]
    lines.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
    return b"".join(lines)


class Client:
    """``started`` decides whether an attempt may be repeated."""

    __slots__ = (
        "_connection",
        "_loop",
        "_on_leave",
        "finished",
        "left",
        "request",
        "started",
        "task",
        "writing_since",
    )

    def __init__(self, connection: Connection, request: Request) -> None:
        self.request = request
        self.started = False
        self.finished = False
        self.left = False
        self.writing_since = 0.0  # of the loop's clock; 0: not waiting for the client
        self.task: asyncio.Task[None] | None = None  # that answers it
        self._connection = connection
        self._loop = connection.loop
        self._on_leave: Callable[[], None] | None = None

    def start(self, status: int, headers: Iterable[Header]) -> None:
        """The head of a stream. From here on nothing is repeated."""
        self.started = True
        if self.request.old:  # HTTP/1.0 knows no chunks: the end of the connection ends the answer
            self.request.keep_alive = False
            framing: tuple[Header, ...] = ()
        else:
            framing = ((b"transfer-encoding", b"chunked"),)
        self._send(head(status, (*headers, *framing), keep_alive=self._stays))

    async def write(self, content: bytes) -> None:
        """A piece of a stream; waits while the client is slow. ``ClientLeft`` if it is gone."""
        if self.left:
            raise ClientLeft
        self._send(content if self.request.old else b"%x\r\n%b\r\n" % (len(content), content))
        if self._connection.paused:
            self.writing_since = self._loop.time()
            await self._connection.drained()
            self.writing_since = 0.0

    def finish(self, content: bytes) -> None:
        """The last bytes of a stream."""
        self.finished = True
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content) if content else b"0\r\n\r\n"
        self._send(content if self.request.old else framed)

    def answer(
        self, status: int, content: bytes, headers: Iterable[Header], kind: Header = JSON
    ) -> None:
        """A whole answer."""
        self.started = self.finished = True
        length: Header = (b"content-length", b"%d" % len(content))
        begin = head(status, (kind, length, *headers), keep_alive=self._stays)
        self._send(begin if self.request.method == "HEAD" else begin + content)

    def watch(self, on_leave: Callable[[], None]) -> None:
        """Call ``on_leave`` when the client closes its connection before the end."""
        self._on_leave = on_leave

    def gone(self) -> None:
        """The connection was closed."""
        self.left = not self.finished
        if self.left and self._on_leave is not None:
            self._on_leave()

    def close(self) -> None:
        """Watch no more."""
        self._on_leave = None

    def abandon(self) -> None:
        """Cut it off: it takes nothing any more."""
        self._connection.abort()

    def done(self) -> None:
        """Nothing more is said to it about this request."""
        self._connection.answered(self)

    @property
    def _stays(self) -> bool:
        return self.request.keep_alive and self._connection.stays

    def _send(self, content: bytes) -> None:
        if not self.left:
            self._connection.send(content)
