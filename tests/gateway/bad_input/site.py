"""A site that answers with exactly these pieces of bytes, whatever it is asked."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Self

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def framed(*events: bytes) -> bytes:
    """Chunks of these events, without an end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in events)


def whole(content: bytes) -> bytes:
    """An answer that is not a stream."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(content) + content


def stream(*events: bytes) -> bytes:
    """An answer of these events, each a chunk."""
    return HEAD + framed(*events) + b"0\r\n\r\n"


class ScriptedSite:
    """One request a connection; ``pieces`` are sent one by one, each in a packet of its own.
    ``hold``: then the connection stays open until the gateway closes it."""

    def __init__(self, pieces: Sequence[bytes], *, hold: bool = False) -> None:
        self.pieces = pieces
        self.hold = hold
        self.heard = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # ends the wait for another connection
        self._server.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, contextlib.suppress(ConnectionError):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seen = b""
        while b"\r\n\r\n" not in seen:
            part = client.recv(65536)
            if not part:
                return
            seen += part
        self.heard += 1
        self._drain(client, seen)
        for piece in self.pieces:
            client.sendall(piece)
        if self.hold:
            client.recv(1)

    @staticmethod
    def _drain(client: socket.socket, seen: bytes) -> None:
        """The rest of the request: closing with it unread would reset the connection."""
        head, _, body = seen.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += client.recv(65536)
