"""Refusing early, before latency collapses: what this process itself can take.

A timer measures how late it fires: that is how long everything waits that is ready to run. Once
even the least late of the last few is late, requests are let in a few at a time: so many may be
between their key and their hold at once, which takes a turn of the loop or two, and no site. A turn
stays short then, whatever is offered, and the next come in as soon as those are through. (A share
of what is offered, lowered and raised by the lateness that it causes, swings: docs/adr/0019.) Pure
but for ``keep_watching``; times in seconds.
"""

from __future__ import annotations

import asyncio

TICK_SECONDS = 0.05
LOOK_BACK = 4  # ticks; streams in step are late now and then, an overloaded loop always
LATE_SECONDS = 0.05  # what may wait so long, waits for a reason
FEW_OPEN = 32  # admitted whatever the clock says: so few are not why the loop is late
TOO_LATE_SECONDS = 0.2  # once is enough
MOST_ENTERING, LEAST_ENTERING = 64, 2
LESS, MORE = 0.8, 1.1  # times as many at a tick that is late all the same, and at one in time
CALM_TICKS = 20  # without a refusal, and in time: it was enough


class Shedding:
    """Whether one more request may come in."""

    def __init__(self, most_open: int) -> None:
        self._open_of: dict[str, int] = {}  # by organization
        self.crowded = False
        self.entering = 0  # between their key and their hold; counted by who lets them in
        self.most_entering = float(MOST_ENTERING)  # while it is crowded
        self.refused = 0
        self.most_open = most_open
        self._late = [0.0] * LOOK_BACK
        self._turn = 0
        self._calm = 0

    def admits(self, open_now: int) -> bool:
        """Asked for each request before its body is read, and cheap."""
        if open_now < self.most_open and (
            not self.crowded or open_now < FEW_OPEN or self.entering < self.most_entering
        ):
            return True
        self.refused += 1
        self._calm = 0
        return False

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
        too_late = self.late > LATE_SECONDS or late > TOO_LATE_SECONDS
        if not self.crowded:
            if too_late:
                self.crowded, self.most_entering, self._calm = True, float(MOST_ENTERING), 0
                self._late = [0.0] * LOOK_BACK  # by which this was not decided yet
            return
        if too_late:
            self.most_entering = max(float(LEAST_ENTERING), self.most_entering * LESS)
        elif late <= LATE_SECONDS:
            self.most_entering = min(float(MOST_ENTERING), self.most_entering * MORE)
        self._calm = 0 if too_late else self._calm + 1
        self.crowded = self._calm < CALM_TICKS

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
