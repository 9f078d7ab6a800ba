"""How many lines of a job may be under way: what interactive requests leave. Pure.

The gateway is the last word: a job's request never waits there for a seat. This keeps workers from
asking in vain, and leaves a seat to whoever comes next.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST = 8  # lines of one job under way
KEPT_FREE = 1  # seats of an endpoint that has more than one


@dataclass(frozen=True, slots=True)
class Seats:
    """An endpoint a moment ago. ``slots`` 0: nobody knows how many it has."""

    slots: int
    in_flight: int  # with those of jobs
    waiting: int


def lines(seats: Seats, under_way: int, most: int = MOST) -> int:
    """How many lines of a job may be under way, if ``under_way`` are."""
    if seats.waiting:
        return 0
    if not seats.slots:
        return 1 if seats.in_flight <= under_way else 0
    kept = KEPT_FREE if seats.slots > 1 else 0
    others = max(0, seats.in_flight - under_way)
    return max(0, min(most, seats.slots - others - kept))
