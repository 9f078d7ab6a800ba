"""Server-sent events as text. Pure; for streams that do not pass as bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BETWEEN = re.compile(rb"\r?\n\r?\n")


def texts(events: bytes) -> Iterator[bytes]:
    """The data of each of these whole events; comments have none."""
    for event in _BETWEEN.split(events):
        if event.startswith(b"data: ") and b"\n" not in event:
            yield event[6:]
            continue
        lines = [line.removesuffix(b"\r") for line in event.split(b"\n")]
        found = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        if found:
            yield b"\n".join(found)
