"""Free ports on 127.0.0.1."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def is_free(port: int) -> bool:
    """Whether nobody listens there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free(count: int) -> list[int]:
    """So many different free ports, chosen by the system."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_range(length: int, start: int) -> tuple[int, int]:
    """The first run of ``length`` free ports at or above ``start``: (first, last)."""
    first = start
    while first + length < 60000:
        taken = next((port for port in range(first, first + length) if not is_free(port)), None)
        if taken is None:
            return first, first + length - 1
        first = taken + 1
    raise OSError(f"no {length} free ports in a row above {start}")
