"""One JSON line for each request, on standard output, many with one write.

Nothing in it is a secret, a prompt or a tenant's name. A killed process loses the lines of its
last moment; what must not be lost stands in the journal.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from msgspec import UNSET, UnsetType

WRITE_SECONDS = 0.1
MOST_LINES = 4096  # kept; more are counted and passed over, rather than that requests wait


class Line(msgspec.Struct, kw_only=True):
    """Ids, times and counts. What is ``UNSET`` is left out."""

    request_id: str
    route: str
    status: int
    ms: float
    site: str | UnsetType = UNSET
    attempts: int | UnsetType = UNSET
    trace: str | UnsetType = UNSET
    first_byte_ms: int | UnsetType = UNSET  # since its admission
    tokens_in: int | UnsetType = UNSET
    tokens_out: int | UnsetType = UNSET
    counted: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    event: str = "request"
    level: str = "info"
    timestamp: float = 0.0  # Unix seconds


class AccessLog:
    """Lines that are not written yet."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._lines: list[bytes] = []
        self._lost = 0
        self.shed = 0  # requests that were refused unread, since the last write

    def note(self, line: Line) -> None:
        """A request has ended."""
        if len(self._lines) >= MOST_LINES:
            self._lost += 1
            return
        line.timestamp = time.time()
        self._lines.append(self._encoder.encode(line))

    async def keep_writing(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            self.write()

    def write(self) -> None:
        """All lines that wait."""
        if self.shed:
            shed, self.shed = self.shed, 0
            said = {"event": "requests.shed", "level": "warning", "requests": shed}
            self._lines.append(self._encoder.encode(said | {"timestamp": time.time()}))
        if self._lost:
            lost, self._lost = self._lost, 0
            self._lines.append(self._encoder.encode({"event": "log.lost", "lines": lost}))
        if self._lines:
            lines, self._lines = self._lines, []
            lines.append(b"")
            sys.stdout.buffer.write(b"\n".join(lines))
            sys.stdout.buffer.flush()
