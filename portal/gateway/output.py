"""Standard output that nobody waits for: a thread writes what the program says.

Whoever reads it may be slow, stopped or gone, and its disk may be full. Then lines are lost, which
is counted and said later; requests go on. A line that is written in place would stop the loop, and
with it every answer, until somebody reads.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from collections.abc import Buffer

MOST_BYTES = 8 << 20  # kept for a reader that is slow; what comes beyond is lost
END_SECONDS = 2.0


class Output(io.RawIOBase):
    """Bytes for a file that is open, in order. ``write`` neither waits nor fails."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._ended = False
        self._some = threading.Condition()
        self._thread = threading.Thread(target=self._keep_writing, name="output", daemon=True)
        self._thread.start()

    def writable(self) -> bool:
        return True

    def write(self, content: Buffer, /) -> int:
        """Its length, whatever becomes of it."""
        copy = bytes(content)
        with self._some:
            if self._size + len(copy) > MOST_BYTES:
                self._lost += copy.count(b"\n")
            else:
                self._waiting.append(copy)
                self._size += len(copy)
                self._some.notify()
        return len(copy)

    def end(self, seconds: float = END_SECONDS) -> None:
        """Write what waits, at most so long."""
        with self._some:
            self._ended = True
            self._some.notify()
        self._thread.join(seconds)

    def _keep_writing(self) -> None:
        while True:
            with self._some:
                self._some.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                content = b"".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                before, self._lost = self._lost, 0
            if before and not self._put(b'{"event":"log.lost","lines":%d}\n' % before):
                before = 0
            lost = self._put(content)
            with self._some:
                self._lost += before + lost

    def _put(self, content: bytes) -> int:
        """How many lines could not be written."""
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            return bytes(rest).count(b"\n")
        return 0


def take_over() -> Output:
    """From here on everything that this process says on standard output goes this way."""
    output = Output(sys.stdout.fileno())
    sys.stdout = io.TextIOWrapper(output, encoding="utf-8", write_through=True)
    return output
