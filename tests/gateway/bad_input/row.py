"""What a row of the table says, and the requests that rows are made of.

``KEY`` stands for the world's live key. A row that is refused reaches no site and moves no money:
``heard`` and ``events`` are 0 unless it says otherwise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.gateway.bad_input.wire import Wire

KEY = b"@" * 57  # as long as a key, so that it does not change a content's length
CHAT = "/v1/chat/completions"
EMBED = "/v1/embeddings"
ANY = "*"  # a code that is not the row's concern
USER = {"role": "user", "content": "hi"}
GOOD: dict[str, Any] = {"model": "smollm2", "messages": [USER], "max_tokens": 5}

_AUTHORITY = b"authorization: Bearer %b" % KEY
_JSON = b"content-type: application/json"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One bad input. ``status`` of its last answer, ``before`` of those that come first."""

    number: str  # of the catalogue (docs: facts, section 3), or ``own-…``
    what: str
    sent: bytes | Callable[[Wire, bytes], object]
    status: int
    code: str = ""
    param: str | None = None
    closed: bool = False  # the connection, after the last answer
    before: tuple[int, ...] = ()
    heard: int = 0  # requests that reach the site
    events: int = 0  # usage events
    head: bool = False  # the last answer has no content
    site: dict[str, Any] | None = None  # fields that the site must have been sent

    def play(self, wire: Wire, key: str) -> None:
        """Send it."""
        if callable(self.sent):
            self.sent(wire, key.encode())
        else:
            wire.send(self.sent.replace(KEY, key.encode()))


def head(
    path: str | bytes,
    *headers: bytes,
    method: bytes = b"POST",
    version: bytes = b"HTTP/1.1",
    host: bytes | None = b"host: x",
    kind: bytes | None = _JSON,
    authority: bytes | None = _AUTHORITY,
) -> bytes:
    """The first line and headers, with the blank line."""
    target = path.encode() if isinstance(path, str) else path
    lines = [b"%b %b %b" % (method, target, version)]
    lines += [one for one in (host, kind, authority, *headers) if one is not None]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def whole(path: str | bytes, content: bytes, *headers: bytes, **first: Any) -> bytes:
    """A request with its length."""
    return head(path, b"content-length: %d" % len(content), *headers, **first) + content


def chat(*headers: bytes, **fields: Any) -> bytes:
    """A good chat request, changed."""
    return whole(CHAT, encoded(GOOD | fields), *headers)


def get(path: str | bytes, *headers: bytes, **first: Any) -> bytes:
    """A request without a body."""
    return head(path, *headers, **({"method": b"GET", "kind": None} | first))


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks) + end


def encoded(value: Any) -> bytes:
    """JSON as ordinary clients write it."""
    return json.dumps(value, ensure_ascii=False).encode()


def slowly(content: bytes, drops: Iterable[bytes], pause: float) -> Callable[[Wire, bytes], None]:
    """Send ``content``, then one drop after each pause, until nobody listens."""

    def play(wire: Wire, key: bytes) -> None:
        wire.send(content.replace(KEY, key))
        for drop in drops:
            time.sleep(pause)
            if not wire.send(drop):
                return

    return play
