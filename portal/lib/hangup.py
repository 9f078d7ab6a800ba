"""A whole time for a call over HTTP.

The library's timeouts count from byte to byte: who sends one every few seconds, of the head of an
answer too, would keep a worker for days.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any


class Hangup:
    """Ends calls after ``seconds``, while its ``with`` lasts. Each request is given ``trace`` as
    the extension of that name; a call that was ended fails as if the other side had hung up, and
    ``done`` says why. A body without a length ends where its connection does: look at ``done``."""

    def __init__(self, seconds: float) -> None:
        self.done = False
        self._streams: list[Any] = []
        self._timer = threading.Timer(max(0.0, seconds), self._hang_up)

    def __enter__(self) -> Hangup:
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, told: dict[str, Any]) -> None:
        """Of the HTTP library: a connection, and the same with TLS on it."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._streams.append(told["return_value"])
            if self.done:  # it was over while the other side was still being reached
                self._hang_up()

    def _hang_up(self) -> None:
        self.done = True
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
