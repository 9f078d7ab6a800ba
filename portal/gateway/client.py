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

JSON = b"application/json"
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


def lines(headers: Iterable[Header]) -> bytes:
    """Headers as they are sent."""
    return b"".join([b"%b: %b\r\n" % one for one in headers])


def head(status: int, headers: bytes, *, keep_alive: bool) -> bytes:
    """The head of an answer, up to its blank line; ``headers`` are whole lines."""
    end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
    return b"%b%b%b%b" % (STATUS_LINES[status], _date.now(), headers, end)


def whole(
    status: int, content: bytes, headers: bytes, *, keep_alive: bool, kind: bytes = JSON
) -> bytes:
    """A whole answer; ``headers`` are whole lines."""
    headers = b"content-type: %b\r\ncontent-length: %d\r\n%b" % (kind, len(content), headers)
    return head(status, headers, keep_alive=keep_alive) + content


class Client:
    """``started`` decides whether an attempt may be repeated."""

    __slots__ = (
        "_connection",
        "_loop",
        "_on_leave",
        "_send",
        "behind",
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
        self._send = connection.writes.add  # after it has left, it is dropped there
        self.behind = connection.paused  # slow, or gone

    def start(self, status: int, headers: bytes) -> None:
        """The head of a stream; ``headers`` are whole lines. From here on nothing is repeated."""
        self.started = True
        if self.request.old:  # HTTP/1.0 knows no chunks: the end of the connection ends the answer
            self.request.keep_alive = False
        else:
            headers += b"transfer-encoding: chunked\r\n"
        self._send(head(status, headers, keep_alive=self.stays))

    def write(self, content: bytes) -> None:
        """A piece of a stream. While ``behind``, wait for ``caught_up`` before the next."""
        self._send(content if self.request.old else b"%x\r\n%b\r\n" % (len(content), content))

    async def caught_up(self) -> None:
        """Until the client has taken what was sent. ``ClientLeft`` if it is gone."""
        if self._connection.paused:
            self.writing_since = self._loop.time()
            await self._connection.drained()
            self.writing_since = 0.0
        if self.left:
            raise ClientLeft

    def finish(self, content: bytes) -> None:
        """The last bytes of a stream."""
        self.finished = True
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content) if content else b"0\r\n\r\n"
        self._send(content if self.request.old else framed)

    def answer(self, status: int, content: bytes, headers: bytes, kind: bytes = JSON) -> None:
        """A whole answer; ``headers`` are whole lines."""
        found = whole(status, content, headers, keep_alive=self.stays, kind=kind)
        self.repeat(found[: -len(content)] if content and self.request.method == "HEAD" else found)

    def repeat(self, answer: bytes) -> None:
        """A whole answer as it was made for others, who stay as this client does."""
        self.started = self.finished = True
        self._send(answer)

    def watch(self, on_leave: Callable[[], None]) -> None:
        """Call ``on_leave`` when the client closes its connection before the end."""
        self._on_leave = on_leave

    def gone(self) -> None:
        """The connection was closed."""
        self.left = not self.finished
        self.behind = self.left
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
    def stays(self) -> bool:
        """Whether its connection is kept after this answer."""
        return self.request.keep_alive and self._connection.stays
