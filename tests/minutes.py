"""Windows of a minute, which are the counters' own: a test that fills one begins early in it."""

from __future__ import annotations

import time

LATE = 50.0


def begin_early() -> None:
    """Wait, at most ten seconds, for the next minute if this one ends soon."""
    second = time.time() % 60  # read once: of two readings, the second may be in the next minute
    if second > LATE:
        time.sleep(60.05 - second)
