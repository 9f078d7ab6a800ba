"""How one target is doing, as this gateway sees it. Pure: the loop's clock is passed in, seconds.

What is in flight, how soon it answers, how often it fails, and until when it is set aside. The
table says what the portal knows; this knows it seconds earlier, and forgets it in a minute.
"""

from __future__ import annotations

from math import exp

from portal.routing.health import MIN_SAMPLE

SMOOTHING_SECONDS = 10.0  # in which an average of latencies forgets two thirds
KNOWN_SECONDS = 30.0  # for which a latency is believed: then the target must be tried again
STEEPEST = 4.0  # one answer raises an average at most so many times
WHOLE_SHARE = 0.1  # of a whole answer in the average: its length says little about the target

COOLING_SECONDS = 5.0  # after a failure, until something succeeds
BUSY_SECONDS = 1.0  # after "no room" without a Retry-After
MOST_BUSY_SECONDS = 60.0  # whatever a site asks for
EJECT_SHARE = 0.5  # of failures among what was asked lately
LATELY_SECONDS = 10.0  # in which a count forgets two thirds
EJECT_SECONDS = 10.0  # doubled each time that it happens again
MOST_EJECT_SECONDS = 60.0
SILENT_SECONDS = 5.0  # without an answer to anybody, or eight times its usual latency
SILENT_ASIDE_SECONDS = 30.0  # how long that will last, compared with the others that are aside
SLOW_START_SECONDS = 10.0
SLOWEST_START = 0.1  # of its weight
MOST_TIMES = 200  # times to first byte kept of one second


class TargetLoad:
    """One target. ``in_flight`` counts what it works on, ``awaiting`` what it has not begun to
    answer; both are this gateway's share only."""

    __slots__ = (
        "_bad",
        "_counted_at",
        "_ejections",
        "_good",
        "_latency_ms",
        "_measured_at",
        "aside_until",
        "awaiting",
        "busy_until",
        "failed",
        "first_byte_ms",
        "heard_at",
        "in_flight",
        "since",
        "started",
    )

    def __init__(self, since: float) -> None:
        self.in_flight = self.awaiting = 0
        self.since = since  # when it was new, or came back
        self.aside_until = 0.0  # chosen last until then
        self.busy_until = 0.0  # not asked until then: it said so
        # Of the second that is going on, for the portal.
        self.started = self.failed = 0
        self.first_byte_ms: list[int] = []
        self._latency_ms = 0.0
        self._measured_at = float("-inf")
        self.heard_at = since
        self._good = self._bad = 0.0
        self._counted_at = since
        self._ejections = 0

    def begin(self, now: float) -> None:
        """A request goes out."""
        if not self.awaiting:
            self.heard_at = now
        self.in_flight += 1
        self.awaiting += 1
        self.started += 1

    def hear(self) -> None:
        """A request is awaited no longer: its answer began, or it is over."""
        self.awaiting -= 1

    def end(self) -> None:
        """A request is over."""
        self.in_flight -= 1

    def first_byte(self, milliseconds: float, now: float) -> None:
        """It begins to answer. What is slower than thought is believed at once, what is quicker
        only slowly: an engine that gets into trouble loses its requests before it fails them."""
        known = self.latency_ms(now)
        if not known:
            self._latency_ms = milliseconds
        elif milliseconds > known:
            self._latency_ms = min(milliseconds, known * STEEPEST)
        else:
            old = exp((self._measured_at - now) / SMOOTHING_SECONDS)
            self._latency_ms = known * old + milliseconds * (1 - old)
        self._answered(milliseconds, now)

    def whole(self, milliseconds: float, now: float) -> None:
        """A whole answer is here, which took as long as its length: averaged without peaks."""
        known = self.latency_ms(now)
        step = min(milliseconds, known * STEEPEST) - known
        self._latency_ms = known + step * WHOLE_SHARE if known else milliseconds
        self._answered(milliseconds, now)

    def _answered(self, milliseconds: float, now: float) -> None:
        self.heard_at = self._measured_at = now
        self._count(1.0, 0.0, now)
        if self.aside_until and not self._ejections:
            self.aside_until = 0.0  # one success ends the cooling after a failure
        if len(self.first_byte_ms) < MOST_TIMES:
            self.first_byte_ms.append(int(milliseconds))

    def fail(self, now: float) -> None:
        """It did not answer as it should: chosen last for a while, and longer if it is usual."""
        self.failed += 1
        self._count(0.0, 1.0, now)
        if self.since > now:
            return  # ejected: this was under way before
        self.aside_until = max(self.aside_until, now + COOLING_SECONDS)
        sample = self._good + self._bad
        if sample > MIN_SAMPLE - 0.5 and self._bad >= EJECT_SHARE * sample:
            self._eject(now)

    def _eject(self, now: float) -> None:
        seconds = min(EJECT_SECONDS * 2**self._ejections, MOST_EJECT_SECONDS)
        self._ejections = min(self._ejections + 1, 6)
        self.aside_until = self.since = now + seconds  # and comes back slowly

    def busy(self, seconds: float, now: float) -> None:
        """It has no room: no failure. With a Retry-After it is not asked again before."""
        if seconds > 0:
            self.busy_until = max(self.busy_until, now + min(seconds, MOST_BUSY_SECONDS))
        else:
            self.aside_until = max(self.aside_until, now + BUSY_SECONDS)

    def _count(self, good: float, bad: float, now: float) -> None:
        old = exp((self._counted_at - now) / LATELY_SECONDS)
        self._counted_at = now
        self._good = self._good * old + good
        self._bad = self._bad * old + bad
        if self._ejections and good and self._good > MIN_SAMPLE and now > self.aside_until:
            self._ejections = 0  # it has proved itself

    def latency_ms(self, now: float) -> float:
        """What to expect; 0: it has not been heard lately, so nobody knows."""
        return self._latency_ms if now - self._measured_at < KNOWN_SECONDS else 0.0

    def aside_for(self, now: float) -> float:
        """Seconds for which it is chosen last: it failed a moment ago, is ejected, or is silent
        towards everybody who asked. 0: not at all."""
        if self.aside_until > now:
            return self.aside_until - now
        return SILENT_ASIDE_SECONDS if self.silent(now) else 0.0

    def silent(self, now: float) -> bool:
        """Nobody who asks is answered, for much longer than usual."""
        silence = now - self.heard_at
        return self.awaiting > 0 and silence >= SILENT_SECONDS and silence * 125 >= self._latency_ms

    def share(self, now: float) -> float:
        """Of its weight, while it starts slowly: 0.1 … 1."""
        age = now - self.since
        if age >= SLOW_START_SECONDS:
            return 1.0
        return max(SLOWEST_START, age / SLOW_START_SECONDS)

    def lately(self, now: float) -> tuple[float, float]:
        """Answered and failed, of the last ten seconds or so."""
        old = exp((self._counted_at - now) / LATELY_SECONDS)
        return self._good * old, self._bad * old
