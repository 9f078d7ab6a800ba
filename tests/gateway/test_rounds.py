"""What a gateway tells in a round of the fence, and what it leaves out."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from portal.admission import fencing, keys
from portal.gateway import retelling
from portal.gateway.call import Call
from portal.gateway.config import Config
from portal.gateway.gateway import Gateway, build
from portal.gateway.segment import UNKNOWN, Acknowledged, Answered, Record, Settlement, framed
from portal.lib import ids
from portal.lib.ids import CELLS
from portal.usage import events
from tests import factories
from tests.admission import counters
from tests.admission.cell import connected
from tests.gateway.world import CELL, LIMIT, ORG_CODE, SUBJECTS, World, month

ROUND = 1000
SECOND = 1000  # ms
HOUR = 3600 * SECOND
WORST = 300


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def gateway(world: World, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Connected, without any of its keepers: nothing is told that a test does not ask for."""
    config = Config(
        valkey_url=world.valkey_url, seal_keys=os.environ["DURE_SEAL_KEYS"], journal_dir=tmp_path
    )
    found = build(config)
    await connected(found.valkey)
    yield found
    await found.valkey.stop()
    found.journal.close()


def lose_all(world: World, number: int = ROUND) -> None:
    """As the publisher does after a loss, up to the question."""
    world.client.flushdb()
    world.admission.close_cells(number)
    world.publish()
    for subject in SUBJECTS:
        world.limit(subject, LIMIT)
    passed(world, [0] * CELLS)


def passed(world: World, moments: list[int]) -> None:
    world.client.set(keys.PASSED, fencing.encode_passed(moments))


def running(world: World, gateway: Gateway, *, left_ms: int, renewed: bool) -> Call:
    """A request in this gateway whose lease is over in so many ms, by its admission or by a
    renewal."""
    request_id = ids.mint_request_id()
    admitted = world.admission.admit(
        ORG_CODE,
        epoch=1,
        sha256=ids.hash_api_key(world.key),
        request_id=request_id,
        model="smollm2",
        tokens_in=50,
        tokens_out=50,
        grant_number=0,
        kind="chat",
    )
    ends_ms = now_ms() + left_ms
    at_ms = ends_ms - (HOUR if renewed else 60 * SECOND)
    unknown: Any = None  # nothing of it matters here
    call = Call(
        request_id=request_id,
        cell=CELL,
        route="",
        asked=unknown,
        grant=world.grant,
        model=unknown,
        routes=unknown,
        admitted=type(admitted)(**{**_fields(admitted), "at_ms": at_ms}),
        max_tokens=0,
        sha256=ids.hash_api_key(world.key),
        leased_ms=ends_ms if renewed else 0,
    )
    gateway.open[request_id] = call
    return call


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def settlement(
    *, admitted_at_ms: int = 0, leased_ms: int = 0, cost: int = 200, cell: int = CELL
) -> Settlement:
    admitted_at_ms = admitted_at_ms or now_ms()
    event = factories.usage_event(
        organization=SUBJECTS[0],
        project=SUBJECTS[1],
        key=SUBJECTS[2],
        admitted_at_ms=admitted_at_ms,
        hold_micro=WORST,
        cost_micro=cost,
    )
    return Settlement(event.request_id, cell, cost, events.encode(event), leased_ms=leased_ms)


def left_behind(gateway: Gateway, *records: Record, name: str = "dead") -> None:
    """A journal of a gateway that died, adopted by this one."""
    path = gateway.config.journal_dir / f"{name}.journal"
    path.write_bytes(b"".join(framed(one) for one in records))
    gateway.journal.adopt()


def acknowledged(one: Settlement, ago_ms: int, charged: int = 200) -> tuple[Record, Record]:
    return one, Acknowledged([one.request_id], now_ms() - ago_ms, [charged])


def told(world: World) -> list[str]:
    """Requests whose settlement stands in the stream."""
    return [one.request_id for one in world.events()]


def answers(world: World) -> dict[bytes, bytes]:
    found: Any = world.client.hgetall(keys.FENCE_ANSWERS)
    return found


async def heard(gateway: Gateway) -> None:
    """Let the settler hear what it was answered."""
    async with asyncio.timeout(5):
        while gateway.settler._telling:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# ─── holds ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("renewed", [False, True])
async def test_tells_a_hold_that_is_live_with_all_that_its_end_needs(
    world: World, gateway: Gateway, renewed: bool
) -> None:
    call = running(world, gateway, left_ms=15 * SECOND, renewed=renewed)
    worst = call.admitted.hold_micro
    lose_all(world)
    began = now_ms()

    await retelling.answer(gateway, ROUND)

    assert [world.standing(subject).held for subject in SUBJECTS] == [worst] * 3
    assert counters.use(world.client, CELL, SUBJECTS[2], month())[3] == 1
    assert began + 60 * SECOND <= call.leased_ms <= now_ms() + 60 * SECOND
    assert world.client.fcall("renew_3", 1, keys.tag(CELL), call.request_id) == []
    world.client.zadd(keys.leases(CELL), {call.request_id: 1}, xx=True)
    world.expire()
    [(_, orphan)] = world.client.xrange(keys.orphans(CELL))
    assert orphan[b"organization"] == SUBJECTS[0].encode()


@pytest.mark.parametrize("renewed", [False, True])
async def test_does_not_tell_a_hold_that_may_have_lapsed(
    world: World, gateway: Gateway, renewed: bool
) -> None:
    """By a clock that may be five seconds off: others may have its room."""
    call = running(world, gateway, left_ms=3 * SECOND, renewed=renewed)
    before = call.leased_ms
    lose_all(world)

    await retelling.answer(gateway, ROUND)

    assert world.held() == 0
    assert call.leased_ms == before
    assert answers(world) == {b"gateway": b"1000"}


async def test_a_hold_that_was_not_taken_back_is_not_leased(world: World, gateway: Gateway) -> None:
    """Its request ended meanwhile: only what is open has a lease."""
    call = running(world, gateway, left_ms=15 * SECOND, renewed=True)
    before = call.leased_ms
    lose_all(world)
    world.client.set(keys.record(CELL, call.request_id), "settled 5")

    await retelling.answer(gateway, ROUND)

    assert world.held() == 0
    assert call.leased_ms == before


@pytest.mark.parametrize("renewed", [False, True])
@pytest.mark.parametrize(("left_ms", "held"), [(15 * SECOND, WORST), (3 * SECOND, 0)])
async def test_what_nobody_acknowledged_keeps_its_hold_while_it_is_live(
    world: World, gateway: Gateway, renewed: bool, left_ms: int, held: int
) -> None:
    ends_ms = now_ms() + left_ms
    one = settlement(
        admitted_at_ms=ends_ms - (HOUR if renewed else 60 * SECOND),
        leased_ms=ends_ms if renewed else 0,
    )
    gateway.journal.append(one)
    lose_all(world)

    await retelling.answer(gateway, ROUND)

    assert [world.standing(subject).held for subject in SUBJECTS] == [held] * 3
    assert bool(counters.use(world.client, CELL, SUBJECTS[2], month())[3]) == bool(held)
    assert told(world) == []  # the settler tells it


async def test_holds_what_was_admitted_in_its_month_of_seoul(
    world: World, gateway: Gateway
) -> None:
    """Half past midnight there is the afternoon of the day before by UTC."""
    first = datetime(2026, 10, 31, 15, 30, tzinfo=UTC)
    gateway.journal.append(
        settlement(admitted_at_ms=int(first.timestamp() * 1000), leased_ms=now_ms() + 30 * SECOND)
    )
    lose_all(world)

    await retelling.answer(gateway, ROUND)

    for name, held in (("2026-10", 0), ("2026-11", WORST)):
        found = world.admission.standing(ORG_CODE, subject=SUBJECTS[0], month=name)
        assert found is not None and found.held == held


async def test_passes_over_an_event_that_cannot_be_read(world: World, gateway: Gateway) -> None:
    gateway.journal.append(Settlement(ids.mint_request_id(), CELL, 5, b"garbage"))
    live = settlement()
    gateway.journal.append(live)
    lose_all(world)

    await retelling.answer(gateway, ROUND)

    assert world.held() == WORST
    assert answers(world)


# ─── settlements ───────────────────────────────────────────────────────────────────────────────


async def test_tells_what_was_acknowledged_as_it_was_charged(
    world: World, gateway: Gateway
) -> None:
    """Also what the journal has not written yet."""
    one = settlement(cost=200)
    gateway.journal.append(one)
    gateway.journal.acknowledge(one.request_id, 150)
    lose_all(world)

    await retelling.answer(gateway, ROUND)

    [(_, fields)] = world.client.xrange(keys.events(CELL))
    assert fields[b"event"] == one.event
    assert (fields[b"settled_micro"], fields[b"written_off_micro"]) == (b"150", b"50")
    assert world.held() == 0


@pytest.mark.parametrize(
    ("ago", "passed_ago", "is_told"),
    [
        (60, -3600, True),  # an older copy may show its hold, whatever the ledger has
        (100, -3600, False),
        (100, 95, True),  # two clocks: ten seconds of what the ledger has are told again
        (100, 80, False),
        (100, 200, True),
    ],
)
async def test_tells_what_the_ledger_may_not_have(
    world: World, gateway: Gateway, ago: int, passed_ago: int, is_told: bool
) -> None:
    one = settlement()
    left_behind(gateway, *acknowledged(one, ago * SECOND), Answered(ROUND - 1))
    lose_all(world)
    moments = [now_ms() + HOUR] * CELLS
    moments[CELL] = now_ms() - passed_ago * SECOND
    passed(world, moments)

    await retelling.answer(gateway, ROUND)

    assert told(world) == [one.request_id] * is_told
    assert gateway.journal.passed_ms == moments
    assert answers(world)


@pytest.mark.parametrize("said", [None, b"garbage", fencing.encode_passed([2**50] * 3)])
async def test_tells_everything_when_nobody_says_how_far_the_ledger_is(
    world: World, gateway: Gateway, said: bytes | None
) -> None:
    one = settlement()
    left_behind(gateway, *acknowledged(one, HOUR), Answered(ROUND - 1))
    lose_all(world)
    world.client.delete(keys.PASSED)
    if said is not None:
        world.client.set(keys.PASSED, said)

    await retelling.answer(gateway, ROUND)

    assert told(world) == [one.request_id]
    assert gateway.journal.passed_ms is None


async def test_tells_many(world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retelling, "AT_ONCE", 2)
    made = [settlement() for _ in range(5)]
    for one in made:
        gateway.journal.append(one)
        gateway.journal.acknowledge(one.request_id, 1)
    lose_all(world)

    await retelling.answer(gateway, ROUND)

    assert sorted(told(world)) == sorted(one.request_id for one in made)


async def test_repeats_what_intake_had_to_charge(world: World, gateway: Gateway) -> None:
    """It was late: what it was charged nobody here knows, so it is late again."""
    one = settlement()
    gateway.journal.append(one)
    gateway.journal.acknowledge(one.request_id, UNKNOWN)
    lose_all(world)

    await retelling.answer(gateway, ROUND)
    await heard(gateway)

    assert (told(world), world.held()) == ([], 0)
    assert gateway.settler.waiting == 1  # until the counters are right
    world.admission.open_cells(ROUND)
    await gateway.settler._tell_all()
    [(_, fields)] = world.client.xrange(keys.events(CELL))
    assert (fields[b"event"], fields[b"late"]) == (one.event, b"1")
