"""A Valkey that lost what it had: this gateway tells its holds and settlements again."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from portal.admission import fencing, keys
from portal.gateway.segment import Acknowledged, Record, framed, unframed
from portal.lib.ids import CELLS
from tests.gateway.test_stories import Reader, own_valkey, world
from tests.gateway.world import CELL, SUBJECTS, GatewayProcess, World, wait_until

__all__ = ["own_valkey", "world"]  # fixtures

ROUND = 1000


def lose_all(world: World, *, counting: bool = False) -> None:
    """As the publisher does after a loss, up to the question; or on to the count."""
    world.client.flushall()
    world.admission.load_functions()
    world.admission.close_cells(ROUND)
    world.publish()
    for subject in SUBJECTS:
        world.limit(subject, 1_000_000_000)
    world.client.set(keys.PASSED, fencing.encode_passed([0] * CELLS))
    if counting:
        world.admission.many([fencing.end_booked(CELL, ROUND, [])])
    world.client.set(keys.FENCE_ROUND, ROUND)


def answered(world: World) -> bool:
    return bool(world.client.hvals(keys.FENCE_ANSWERS))


@pytest.mark.story
def test_tells_what_it_holds_and_has_settled(start: Any, world: World) -> None:
    gateway = start("one")
    assert gateway.chat("smollm2")[0] == 200
    [first] = world.settled(1)
    reader = Reader(gateway, "slow")
    assert reader.begun.wait(10)
    held = world.held()

    lose_all(world)
    wait_until(lambda: answered(world))

    assert world.held() == held > 0
    assert [one.request_id for one in world.events()] == [first.request_id]
    reader.join(10)
    assert reader.whole
    found = world.settled(2)
    assert world.standing().spent == found[1].cost_micro  # the first's is in the ledger's sum
    assert world.client.xinfo_stream(keys.events(CELL))["length"] == 2


@pytest.mark.story
@pytest.mark.parametrize("restarted", [False, True])
def test_what_nobody_acknowledged_keeps_its_hold(
    start: Any, world: World, own_valkey: Any, restarted: bool
) -> None:
    """Its settlement was on its way when everything was lost: its room is not given away."""
    gateway = start("one")
    reader = Reader(gateway, "slow")
    assert reader.begun.wait(10)
    held = world.held()
    own_valkey.kill()
    reader.join(10)
    assert reader.whole
    if restarted:
        gateway.kill()
    own_valkey.start()
    if restarted:
        gateway.start(ready=False)

    lose_all(world)
    wait_until(lambda: answered(world))

    [event] = world.settled(1)
    assert event.hold_micro == held
    assert world.standing().spent == event.cost_micro
    stream: Any = world.client.xrange(keys.events(CELL))
    assert stream[0][1][b"late"] == b"0"


@pytest.mark.story
def test_a_good_key_is_not_called_wrong_when_its_grant_was_lost(start: Any, world: World) -> None:
    gateway = start("one")
    world.client.flushall()

    status, _, answer = gateway.chat("smollm2")

    assert (status, answer["error"]["code"]) == (503, "admission_unavailable")


@pytest.mark.story
def test_admits_nobody_while_its_journal_is_full(start: Any, world: World) -> None:
    gateway = start("one", DURE_GATEWAY_JOURNAL_BYTES="3000")

    statuses = [gateway.chat("smollm2")[0]]
    while statuses[-1] == 200 and len(statuses) < 200:
        statuses.append(gateway.chat("smollm2")[0])

    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert "journal is full" in gateway.get("/ready")[1]["because"]
    _, _, page = gateway.send("GET", "/metrics", None, {})
    assert b"\ndure_journal_full 1" in page
    world.settled(statuses.count(200))


@pytest.mark.story
def test_tells_what_it_could_not_tell_while_it_was_down(start: Any, world: World) -> None:
    """Acknowledged, then lost with Valkey while this gateway was dead: late, but not lost."""
    gateway = start("one")
    assert gateway.chat("smollm2")[0] == 200
    [event] = world.settled(1)
    gateway.kill()
    lose_all(world)
    world.client.delete(keys.FENCE_ROUND)  # the round went by
    world.admission.open_cells(ROUND)
    missed = fencing.Round(ROUND, [0] * CELLS)
    world.client.set(keys.FENCE_ROUNDS, fencing.encode_rounds([missed]))
    assert world.events() == []

    gateway.start(ready=False)

    assert world.settled(1) == [event]
    gateway.kill()
    gateway.start(ready=False)  # told once: the journal knows the round now
    wait_until(lambda: gateway.get("/health")[0] == 200)
    assert len(world.events()) == 1


@pytest.mark.story
def test_what_comes_too_late_for_a_round_is_told_as_missed(start: Any, world: World) -> None:
    """Asked, but left out: the cell is being counted when it tells. Late, but not lost."""
    gateway = start("one")
    assert gateway.chat("smollm2")[0] == 200
    [event] = world.settled(1)
    lose_all(world, counting=True)
    wait_until(lambda: "fence.too_late" in gateway.log.read_text())
    assert (world.events(), answered(world)) == ([], False)

    world.client.delete(keys.FENCE_ROUND)
    world.admission.open_cells(ROUND)
    missed = fencing.Round(ROUND, [0] * CELLS)
    world.client.set(keys.FENCE_ROUNDS, fencing.encode_rounds([missed]))

    assert world.settled(1) == [event]


@pytest.mark.story
def test_a_later_round_does_not_pass_over_what_was_missed(start: Any, world: World) -> None:
    """It was down in one round, and is asked in the next one before it has caught up."""
    gateway = start("one")
    assert gateway.chat("smollm2")[0] == 200
    [event] = world.settled(1)
    gateway.kill()
    lose_all(world)
    missed = fencing.Round(ROUND - 1, [0] * CELLS)
    world.client.set(keys.FENCE_ROUNDS, fencing.encode_rounds([missed]))
    future = [time.time_ns() // 1_000_000 + 3_600_000] * CELLS  # the ledger passed it meanwhile
    world.client.set(keys.PASSED, fencing.encode_passed(future))
    let_a_minute_pass(gateway)

    gateway.start(ready=False)
    wait_until(lambda: answered(world))
    world.admission.open_cells(ROUND)

    assert world.settled(1) == [event]


def let_a_minute_pass(gateway: GatewayProcess) -> None:
    """What the journal had acknowledged is older than an older copy of Valkey could show."""
    for path in (gateway.folder / "journal").glob("*.journal"):
        records, _, _ = unframed(path.read_bytes())
        path.write_bytes(b"".join(framed(_older(one)) for one in records))


def _older(record: Record) -> Record:
    if isinstance(record, Acknowledged):
        return msgspec.structs.replace(record, at_ms=record.at_ms - 120_000)
    return record
