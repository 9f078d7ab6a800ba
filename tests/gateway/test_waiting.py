"""Seats and waits on a loop of one's own: who is next, and that nothing is left behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portal.gateway import dispatch, errors
from portal.gateway.call import Call
from portal.gateway.demand import Traffic
from portal.gateway.dispatch import Candidate, NoReplica, NoTarget
from portal.gateway.errors import Problem
from portal.gateway.loads import TargetLoad
from portal.gateway.waiting import Seat, Waiting, Wish
from portal.routing.table import Target


def candidate(slots: int = 1) -> Candidate:
    target = Target("a", "daegu-1", "daegu", "rngd", "sha256:x", "http://h:1", "", "m", slots=slots)
    return dispatch.candidate(target, {}, TargetLoad(0.0), 1)


class Room:
    """One endpoint with one target."""

    def __init__(self, slots: int = 1, most: int = 4, most_each: int = 3) -> None:
        self.waiting = Waiting(Traffic("gw"), most=most, most_each=most_each)
        self.target = candidate(slots)
        self.none: NoTarget | None = None
        self.announced: list[asyncio.Future[Seat]] = []

    def choose(self, now: float) -> Candidate | None:
        if self.none is not None:
            raise self.none
        full = self.target.load.in_flight >= self.target.slots > 0
        return None if full else self.target

    def sit(self, organization: str = "org_a") -> Seat:
        return self.waiting.sit("ep", organization, self.target, asyncio.get_running_loop().time())

    async def wait(self, organization: str = "org_a", **changes: Any) -> Seat:
        until = asyncio.get_running_loop().time() + changes.pop("seconds", 60)
        options: dict[str, Any] = {"sites": ("daegu-1",), "cold": False, "until": until, **changes}
        wish = Wish(endpoint="ep", organization=organization, choose=self.choose, **options)
        return await self.waiting.wait(wish, self.announced.append)

    async def queued(self, *organizations: str, **changes: Any) -> list[asyncio.Task[Seat]]:
        found = [asyncio.create_task(self.wait(one, **changes)) for one in organizations]
        await asyncio.sleep(0)
        return found

    def is_empty(self) -> bool:
        load = self.target.load
        counts = (self.waiting.length, load.in_flight, load.awaiting)
        return counts == (0, 0, 0) and not self.waiting._queues and not self.waiting._crowded


async def test_a_free_seat_goes_to_the_next_at_once() -> None:
    room = Room()
    first = room.sit()
    [task] = await room.queued("org_b")

    first.free()

    assert room.choose(0) is None  # a newcomer finds it taken already
    (await task).free()
    assert room.is_empty()


async def test_a_seat_is_freed_once() -> None:
    room = Room(slots=2)
    one, other = room.sit(), room.sit()

    one.free()
    one.free()

    assert room.target.load.in_flight == 1
    other.free()
    assert room.is_empty()


@pytest.mark.parametrize("over_first", [True, False])
async def test_counts_what_is_awaited_whether_the_answer_is_over_or_not(over_first: bool) -> None:
    room = Room()
    seat = room.sit()

    if over_first:
        seat.free()
    seat.first_byte(1.0, whole=False)
    seat.first_byte(2.0, whole=False)
    seat.free()

    assert room.is_empty()
    assert len(room.target.load.first_byte_ms) == 1


async def test_takes_turns_among_organizations() -> None:
    room = Room()
    seat = room.sit("org_a")
    tasks = await room.queued("org_a", "org_a", "org_b")
    order = []

    for _ in range(3):
        seat.free()
        await asyncio.sleep(0)
        [seat] = [task.result() for task in tasks if task.done() and task.result()._room]
        order.append(seat.organization)
    seat.free()

    assert order == ["org_a", "org_b", "org_a"]
    assert room.is_empty()


async def test_refuses_when_too_many_wait() -> None:
    room = Room()
    room.sit()
    tasks = await room.queued("org_a", "org_a", "org_a")

    with pytest.raises(Problem) as found:
        await room.wait("org_a")
    with pytest.raises(Problem):
        room.waiting.check("ep", "org_a", ("daegu-1",))
    room.waiting.check("ep", "org_a", ("gwangju-1",))  # there may be room elsewhere
    room.waiting.check("ep", "org_b", ("daegu-1",))

    assert (found.value.status, found.value.code) == (429, "overloaded")
    for task in tasks:
        task.cancel()


async def test_a_newcomer_takes_the_place_of_a_crowd() -> None:
    room = Room(most=3)
    seat = room.sit()
    crowd = await room.queued("org_a", "org_a", "org_a")

    [task] = await room.queued("org_b")
    await asyncio.sleep(0)

    assert [isinstance(one.exception(), Problem) for one in crowd if one.done()] == [True]
    assert crowd[2].done()
    assert not task.done() and room.waiting.length == 3
    for one in (*crowd[:2], task):
        one.cancel()
    await asyncio.gather(*crowd, task, return_exceptions=True)
    seat.free()
    assert room.is_empty()


@pytest.mark.parametrize(
    ("cold", "status", "code"), [(False, 429, "overloaded"), (True, 503, "no_eligible_site")]
)
async def test_a_wait_ends(cold: bool, status: int, code: str) -> None:
    room = Room()
    seat = room.sit()

    with pytest.raises(Problem) as found:
        await room.wait(seconds=0.01, cold=cold)

    assert (found.value.status, found.value.code) == (status, code)
    seat.free()
    assert room.is_empty()


async def test_says_that_it_sleeps_when_waking_takes_longer_than_a_wait() -> None:
    room = Room()
    room.none = NoReplica("no replica of this model is running yet.")

    with pytest.raises(Problem) as found:
        await room.wait(seconds=0.01, cold=True, asleep=errors.endpoint_asleep(42))

    assert (found.value.status, found.value.code) == (503, "endpoint_asleep")
    assert (b"retry-after", b"42") in found.value.headers
    assert room.is_empty()


async def test_waits_for_a_first_replica() -> None:
    room = Room()
    room.none = NoReplica("no replica of this model is running yet.")
    keeper = asyncio.create_task(room.waiting.keep_looking())
    [task] = await room.queued("org_a", cold=True)
    assert room.waiting.counts() == {"ep": 1}
    await asyncio.sleep(0.15)
    assert not task.done()

    room.none = None

    (await task).free()
    keeper.cancel()
    assert room.is_empty()


async def test_says_when_nobody_may_answer_any_more() -> None:
    room = Room()
    seat = room.sit()
    [task] = await room.queued("org_a")

    room.none = NoTarget("every site is out of service.")
    seat.free()

    with pytest.raises(NoTarget, match="out of service"):
        await task
    assert room.is_empty()


async def test_who_leaves_gives_up_its_place_or_its_seat() -> None:
    room = Room()
    seat = room.sit()
    tasks = await room.queued("org_a", "org_a", "org_a")

    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    assert room.waiting.length == 2

    seat.free()  # to the second, which leaves before it knows
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)

    (await tasks[2]).free()
    assert room.is_empty()


async def test_a_call_that_waits_is_ended_from_outside() -> None:
    room = Room()
    seat = room.sit()
    [task] = await room.queued("org_a")
    unknown: Any = None  # nothing of it matters here
    call = Call(
        request_id="",
        cell=0,
        route="",
        asked=unknown,
        grant=unknown,
        model=unknown,
        routes=unknown,
        admitted=unknown,
        max_tokens=0,
        waiting=room.announced[0],
    )

    call.end(Problem(401, "key_no_longer_valid", "The key was revoked."))

    with pytest.raises(Problem, match="key_no_longer_valid"):
        await task
    call.end(Problem(401, "key_no_longer_valid", "Twice does no harm."))
    seat.free()
    assert room.is_empty()
