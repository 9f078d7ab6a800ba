"""What is sent in one turn of the loop, written together at its end.

A write to somebody who sleeps wakes him, which costs more than the write itself. Written one by
one, with the work for a request between two of them, everybody goes back to sleep in between;
written together, the first wakes and the others find him awake.
"""

from __future__ import annotations

import asyncio

import structlog

LARGE_BYTES = 32768

_log = structlog.get_logger()


class Outbox:
    """All connections that have something to send in this turn."""

    def __init__(self) -> None:
        self._waiting: list[Writes] = []

    def put(self, writes: Writes) -> None:
        """To be flushed at the end of this turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(writes)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for writes in waiting:
            try:
                writes.flush()
            except Exception:
                _log.exception("send.failed")  # of one connection; the others have theirs to send
                writes.abort()  # or who waits at its other end would wait for its deadlines


class Writes:
    """What one connection is about to send. Set ``transport`` when it is there, and ``None`` when
    it is lost: what was not sent by then is dropped."""

    __slots__ = ("_outbox", "_parts", "transport")

    def __init__(self, outbox: Outbox) -> None:
        self.transport: asyncio.Transport | None = None
        self._outbox = outbox
        self._parts: list[bytes] = []

    def add(self, content: bytes) -> None:
        """Send it, after what was added before. What is large is sent at once, so that it is known
        whether its reader keeps up."""
        self._parts.append(content)
        if len(content) > LARGE_BYTES:
            self.flush()
        elif len(self._parts) == 1:
            self._outbox.put(self)

    def abort(self) -> None:
        """End the connection, whatever was not sent."""
        if self.transport is not None:
            self.transport.abort()

    def flush(self) -> None:
        """Now: before the connection is closed, for instance."""
        parts, self._parts = self._parts, []
        transport = self.transport
        if parts and transport is not None and not transport.is_closing():
            transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
