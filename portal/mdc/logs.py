"""Engine logs: numbered lines from the first second, kept after a failure and after a restart."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import msgspec

from portal.fleet.drivers.contract import LogLine, LogPage

KEEP_LINES = 2000
KEEP_BYTES = 1_000_000
LONGEST = 500


class EngineLog:
    """One placement's log: a ring in memory and a bounded file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: deque[LogLine] = deque(maxlen=KEEP_LINES)
        self.next = 1
        if path.exists():
            self._read()

    def _read(self) -> None:
        whole = self.path.read_bytes()
        if whole and not whole.endswith(b"\n"):
            with self.path.open("ab") as file:
                file.write(b"\n")  # else the next line would be lost with the torn one
        for raw in whole.splitlines()[-KEEP_LINES:]:
            try:
                line = msgspec.json.decode(raw, type=LogLine)
            except msgspec.MsgspecError:
                continue  # cut off by a kill in mid-write
            self.lines.append(line)
            self.next = line.number + 1

    def add(self, text: str) -> None:
        """One more line, shortened if it is very long."""
        line = LogLine(number=self.next, at_ms=int(time.time() * 1000), text=text[:LONGEST])
        self.next += 1
        self.lines.append(line)
        if self.path.exists() and self.path.stat().st_size > KEEP_BYTES:
            self.path.replace(self.path.with_suffix(".old"))
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def page(self, since: int, limit: int) -> LogPage:
        """Lines with a number above ``since``."""
        found = tuple(line for line in self.lines if line.number > since)[:limit]
        return LogPage(lines=found, next=found[-1].number if found else since)
