"""Bytes out and answers in over one real connection: no client library corrects what is sent."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

SECONDS = 20.0
ALIVE = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"


class NotHttp(AssertionError):
    """What came back is no HTTP answer."""


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def error(self) -> dict[str, Any]:
        """What OpenAI's clients read; ``AssertionError`` if it has another shape."""
        found = json.loads(self.content)["error"]
        assert {"message", "type", "param", "code"} <= found.keys(), found
        assert isinstance(found["message"], str) and found["message"], found
        assert isinstance(found["type"], str) and isinstance(found["code"], str), found
        assert found["param"] is None or isinstance(found["param"], str), found
        return dict(found)


class Wire:
    """One connection. Sending goes on when the other side has closed: its answer still counts."""

    def __init__(self, port: int, seconds: float = SECONDS) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._seen = b""
        self.all = b""  # everything that ever came, to look for secrets

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> bool:
        """Whether the other side still listened."""
        try:
            self.socket.sendall(content)
        except ConnectionError:
            return False
        return True

    def answer(self, *, head: bool = False) -> Answer | None:
        """The next answer, interim ones passed over; ``None`` if the connection was closed.
        ``head``: the request was HEAD, so no content follows."""
        while True:
            first = self._until(b"\r\n\r\n")
            if first is None:
                return None
            status, headers = _read_head(first)
            if status >= 200:
                return Answer(status, headers, b"" if head else self._content(headers))

    def is_open(self) -> bool:
        """Whether another request on this connection is answered."""
        with contextlib.suppress(ConnectionError):
            if self.send(ALIVE):
                found = self.answer()
                return found is not None and found.status == 200
        return False

    def _content(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            while self._more():
                pass
            return self._take(len(self._seen))
        parts = []
        while size := int(self._line().split(b";")[0], 16):
            parts.append(self._exactly(size))
            self._line()
        self._line()
        return b"".join(parts)

    def _line(self) -> bytes:
        found = self._until(b"\r\n")
        if found is None:
            raise NotHttp(f"ends inside an answer: {self._seen[-200:]!r}")
        return found[:-2]

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._seen:
            if not self._more():
                if self._seen:
                    raise NotHttp(f"no answer: {self._seen[:200]!r}")
                return None
        return self._take(self._seen.index(mark) + len(mark))

    def _exactly(self, size: int) -> bytes:
        while len(self._seen) < size:
            if not self._more():
                raise NotHttp(f"{len(self._seen)} bytes of {size} came")
        return self._take(size)

    def _take(self, size: int) -> bytes:
        found, self._seen = self._seen[:size], self._seen[size:]
        return found

    def _more(self) -> bool:
        try:
            part = self.socket.recv(65536)
        except ConnectionError:
            return False
        self._seen += part
        self.all += part
        return bool(part)


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head[:-4].split(b"\r\n")
    version, status, *_ = first.split(b" ")
    if version != b"HTTP/1.1" or len(status) != 3 or not status.isdigit():
        raise NotHttp(repr(first[:200]))
    headers: dict[str, str] = {}
    for line in lines:
        name, mark, value = line.partition(b":")
        if not mark or not name or name.strip() != name:
            raise NotHttp(repr(line[:200]))
        headers[name.decode("ascii").lower()] = value.strip().decode("ascii")
    return int(status), headers


Play = Callable[[Wire], None]  # what a row sends that is more than one piece of bytes
