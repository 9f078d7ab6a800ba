"""Refusing early, before latency collapses: what this process itself can take.

A timer measures how late it fires: that is how long everything waits that is ready to run. While
even the least late of the last few is late, a growing share of new requests is refused, before
anything of them is read; what runs goes on. Pure but for ``keep_watching``; times in seconds.
"""

from __future__ import annotations

import asyncio

TICK_SECONDS = 0.05
LOOK_BACK = 4  # ticks; streams in step are late now and then, an overloaded loop always
LATE_SECONDS = 0.05  # what may wait so long, waits for a reason
FEW_OPEN = 32  # admitted whatever the clock says: so few are not why the loop is late
TOO_LATE_SECONDS = 0.2  # once is enough
LEAST_SHARE = 0.02
LEAST_STEP, MOST_STEP = 0.9, 0.3  # times which the share is lowered at a tick
BACK_STEP = 0.04  # added at each tick in time


class Shedding:
    """Whether one more request may come in."""

    def __init__(self, most_open: int) -> None:
        self._open_of: dict[str, int] = {}  # by organization
        self.share = 1.0  # of new requests that are admitted
        self.refused = 0
        self.most_open = most_open
        self._late = [0.0] * LOOK_BACK
        self._turn = 0
        self._credit = 0.0

    def admits(self, open_now: int) -> bool:
        """Asked for each request before its body is read, and cheap."""
        if open_now >= self.most_open:
            self.refused += 1
            return False
        if self.share >= 1.0 or open_now < FEW_OPEN:
            return True
        self._credit += self.share
        if self._credit < 1.0:
            self.refused += 1
            return False
        self._credit -= 1.0
        return True

    @property
    def most_each(self) -> int:
        """How many may be open of one organization: the others find room beside it."""
        return -(-self.most_open * 3 // 4)

    def enter(self, organization: str) -> bool:
        """Whether it may have one more open; ``leave`` follows if so."""
        count = self._open_of.get(organization, 0)
        if count >= self.most_each:
            self.refused += 1
            return False
        self._open_of[organization] = count + 1
        return True

    def leave(self, organization: str) -> None:
        """One of its requests is over."""
        count = self._open_of[organization] - 1
        if count:
            self._open_of[organization] = count
        else:
            del self._open_of[organization]

    def tick(self, late: float) -> None:
        """A timer fired so much later than it should."""
        self._late[self._turn] = late
        self._turn = (self._turn + 1) % LOOK_BACK
        if min(self._late) > LATE_SECONDS or late > TOO_LATE_SECONDS:
            step = max(MOST_STEP, min(LEAST_STEP, LATE_SECONDS / late))
            self.share = max(LEAST_SHARE, self.share * step)
        elif self.share < 1.0 and late <= LATE_SECONDS:
            self.share = min(1.0, self.share + BACK_STEP)

    @property
    def late(self) -> float:
        """The least of the last few, in seconds."""
        return min(self._late)

    async def keep_watching(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.tick(loop.time() - due)
