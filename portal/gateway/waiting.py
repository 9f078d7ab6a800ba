"""Room at a target for each request: at once, or after a wait that is fair and ends.

A target works on at most its slots. Who finds no room waits in the queue of the endpoint
(``fair_queue``), and so does who asks an endpoint whose first replica is still starting. A seat
that becomes free is given to the next at once, so that newcomers overtake nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from portal.gateway import errors
from portal.gateway.demand import Traffic
from portal.gateway.dispatch import AllBusy, Candidate, NoReplica, NoTarget
from portal.gateway.errors import Problem
from portal.gateway.fair_queue import FairQueue, Full

LOOK_SECONDS = 0.1  # between two looks at what changed without a seat: the table, and time
LONGEST_RETRY_AFTER = 30

Choose = Callable[[float], Candidate | None]  # of the loop's clock; fails as ``dispatch.choose``


class Seat:
    """One request at one target. Free it, whatever happens; twice does no harm."""

    __slots__ = (
        "_awaited",
        "_bounded",
        "_measured",
        "_room",
        "candidate",
        "endpoint",
        "organization",
        "since",
    )

    def __init__(
        self, room: Waiting, endpoint: str, organization: str, candidate: Candidate, now: float
    ) -> None:
        self.candidate = candidate
        self.endpoint = endpoint
        self.organization = organization
        self.since = now
        self._awaited = True  # it has not begun to answer
        self._measured = False
        self._bounded = candidate.slots > 0
        self._room: Waiting | None = room

    def free(self) -> None:
        """The target works on it no longer; the next may sit down."""
        room, self._room = self._room, None
        if room is None:
            return
        self._hear()
        self.candidate.load.end()
        if self._bounded:
            room.ended(self.endpoint, self.organization)

    def first_byte(self, now: float, *, whole: bool) -> None:
        """It began to answer, or answered as a ``whole``; perhaps it is over already."""
        if self._measured:
            return
        self._measured = True
        self._hear()
        tell = self.candidate.load.whole if whole else self.candidate.load.first_byte
        tell((now - self.since) * 1000, now)

    def _hear(self) -> None:
        if self._awaited:
            self._awaited = False
            self.candidate.load.hear()


@dataclass(slots=True, eq=False)
class _Waiter:
    choose: Choose
    future: asyncio.Future[Seat]
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who waits for what; ``until`` is a moment of the loop's clock."""

    endpoint: str
    organization: str
    sites: Hashable  # where it may go: decides who waits for the same seats
    choose: Choose
    until: float
    cold: bool  # nothing runs yet
    asleep: Problem | None = None  # what is said where nothing runs because nobody asked


class Waiting:
    """All queues of this gateway."""

    def __init__(self, traffic: Traffic, *, most: int, most_each: int) -> None:
        self._traffic = traffic
        self.most = most
        self.most_each = most_each
        self._queues: dict[str, FairQueue[_Waiter]] = {}  # of endpoints that have anybody
        self._crowded: dict[str, FairQueue[_Waiter]] = {}  # of those for which somebody waits

    @property
    def length(self) -> int:
        """How many wait."""
        return sum(queue.length for queue in self._crowded.values())

    def counts(self) -> dict[str, int]:
        """How many wait for each endpoint; the portal wakes and scales by it."""
        return {name: queue.length for name, queue in self._crowded.items()}

    def check(
        self, endpoint: str, organization: str, sites: Hashable, *, may_wait: bool = True
    ) -> None:
        """Before anything is held: ``Problem`` if others of it wait for the same seats, and there
        is no place to wait either. Who may not wait comes after everybody who does."""
        queue = self._crowded.get(endpoint)
        if queue is not None and not may_wait:
            raise _no_room(queue)
        if queue is None or not queue.waits(organization, sites):
            return
        if queue.is_full_for(organization):
            raise _no_room(queue)

    def sit(self, endpoint: str, organization: str, candidate: Candidate, now: float) -> Seat:
        """The seat that was found for a request."""
        self._traffic.begin(candidate, now)
        if candidate.slots:
            queue = self._queues.get(endpoint)
            if queue is None:
                queue = self._queues[endpoint] = FairQueue(self.most, self.most_each)
            queue.began(organization)
        return Seat(self, endpoint, organization, candidate, now)

    def ended(self, endpoint: str, organization: str) -> None:
        """A seat became free."""
        queue = self._queues[endpoint]
        queue.ended(organization)
        if queue.length:
            self._serve(endpoint, queue)
        self._put_away(endpoint, queue)

    async def wait(self, wish: Wish, announce: Callable[[asyncio.Future[Seat]], None]) -> Seat:
        """A seat, in fair order. ``Problem`` if the queue is full or ``until`` has come,
        ``NoTarget`` if nobody may answer any more; ``announce`` is told what to end from outside.
        """
        loop = asyncio.get_running_loop()
        queue = self._queues.setdefault(wish.endpoint, FairQueue(self.most, self.most_each))
        waiter = _Waiter(wish.choose, loop.create_future(), loop.time())
        self._put(queue, wish, waiter)
        timer = loop.call_at(wish.until, _end_late, waiter, wish, queue)
        announce(waiter.future)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if not waiter.future.cancelled() and waiter.future.exception() is None:
                waiter.future.result().free()  # it came too late
            raise
        finally:
            timer.cancel()
            queue.remove(wish.organization, wish.sites, waiter)
            self._put_away(wish.endpoint, queue)

    def _put(self, queue: FairQueue[_Waiter], wish: Wish, waiter: _Waiter) -> None:
        try:
            evicted = queue.put(wish.organization, wish.sites, waiter)
        except Full:
            self._put_away(wish.endpoint, queue)
            raise _no_room(queue) from None
        if evicted is not None:
            _end(evicted, _no_room(queue))
        self._crowded[wish.endpoint] = queue

    def _serve(self, endpoint: str, queue: FairQueue[_Waiter]) -> None:
        """Everybody for whom there is room now."""
        now = asyncio.get_running_loop().time()

        def place(waiter: _Waiter) -> Candidate | NoTarget | None:
            if waiter.future.done():
                return NoTarget("")  # it left
            try:
                return waiter.choose(now)
            except (NoReplica, AllBusy):
                return None  # that may pass
            except NoTarget as none:
                return none

        served: tuple[str, _Waiter, Candidate | NoTarget] | None
        while (served := queue.serve(place)) is not None:
            organization, waiter, found = served
            if waiter.future.done():
                continue
            if isinstance(found, NoTarget):
                waiter.future.set_exception(found)
                continue
            queue.waited = now - waiter.since
            waiter.future.set_result(self.sit(endpoint, organization, found, now))

    def _put_away(self, endpoint: str, queue: FairQueue[_Waiter]) -> None:
        if queue.length:
            return
        if self._crowded.get(endpoint) is queue:
            del self._crowded[endpoint]
        if queue.is_unused and self._queues.get(endpoint) is queue:
            del self._queues[endpoint]

    async def keep_looking(self) -> None:
        """Until cancelled: what becomes free without a seat is noticed as well."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for endpoint, queue in list(self._crowded.items()):
                self._serve(endpoint, queue)


def _end(waiter: _Waiter, problem: Problem) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(problem)


def _end_late(waiter: _Waiter, wish: Wish, queue: FairQueue[_Waiter]) -> None:
    _end(waiter, _too_long(wish, queue))


def _no_room(queue: FairQueue[_Waiter]) -> Problem:
    seconds = min(max(1, round(queue.waited)), LONGEST_RETRY_AFTER)
    return errors.no_room(queue.length, seconds)


def _too_long(wish: Wish, queue: FairQueue[_Waiter]) -> Problem:
    if wish.asleep is not None:
        return wish.asleep
    if wish.cold:
        return errors.no_eligible_site(
            "no replica of this model is running yet. It was asked to start, which can take some "
            "minutes; the request has waited as long as requests may."
        )
    return errors.no_room(queue.length, LONGEST_RETRY_AFTER // 2)
