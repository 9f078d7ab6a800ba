"""When a gateway says that it has told everything in a round, and what becomes of rounds that it
missed."""

from __future__ import annotations

from typing import Any

import pytest

from portal.admission import fencing, keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.fencing import Round
from portal.gateway import retelling
from portal.gateway.gateway import Gateway
from portal.lib.ids import CELLS
from tests.gateway.test_journal_disk import Disk, disk
from tests.gateway.test_rounds import (
    HOUR,
    ROUND,
    SECOND,
    acknowledged,
    answers,
    gateway,
    heard,
    left_behind,
    lose_all,
    now_ms,
    passed,
    running,
    settlement,
    told,
)
from tests.gateway.world import CELL, World, month

__all__ = ["disk", "gateway"]  # fixtures


def missed(world: World, *rounds: Round) -> None:
    world.client.set(keys.FENCE_ROUNDS, fencing.encode_rounds(rounds))


async def test_answers_a_round_once_and_the_next_one_again(world: World, gateway: Gateway) -> None:
    lose_all(world)

    assert await retelling.look(gateway, 0) == 0  # nobody asks
    assert answers(world) == {}
    world.client.set(keys.FENCE_ROUND, ROUND)
    assert await retelling.look(gateway, 0) == ROUND
    assert answers(world) == {b"gateway": b"%d" % ROUND}
    assert gateway.journal.answered == ROUND

    world.client.delete(keys.FENCE_ANSWERS)
    assert await retelling.look(gateway, ROUND) == ROUND
    assert answers(world) == {}
    lose_all(world, ROUND + 1)
    world.client.set(keys.FENCE_ROUND, ROUND + 1)
    assert await retelling.look(gateway, ROUND) == ROUND + 1
    assert answers(world) == {b"gateway": b"%d" % (ROUND + 1)}


@pytest.mark.parametrize("what", ["used", "leases", "events"])
async def test_does_not_answer_before_everything_was_told(
    world: World, gateway: Gateway, what: str
) -> None:
    """The server refuses a hold (by its counters or its lease) or a settlement; later it does
    not."""
    running(world, gateway, left_ms=15 * SECOND, renewed=True)
    one = settlement()
    gateway.journal.append(one)
    gateway.journal.acknowledge(one.request_id, 150)
    lose_all(world)
    name = {
        "used": keys.used(CELL, month()),
        "leases": keys.leases(CELL),
        "events": keys.events(CELL),
    }[what]
    world.client.set(name, "of another kind")
    world.client.set(keys.FENCE_ROUND, ROUND)

    with pytest.raises(AdmissionUnavailable):
        await retelling.look(gateway, 0)

    assert answers(world) == {}
    assert gateway.journal.answered == 0
    if what != "events":
        assert told(world) == []  # holds come first: settlements free theirs
    world.client.delete(name)
    world.client.delete(keys.record(CELL, one.request_id))
    await retelling.look(gateway, 0)
    assert answers(world) == {b"gateway": b"%d" % ROUND}


async def test_does_not_answer_a_round_that_is_being_counted(
    world: World, gateway: Gateway
) -> None:
    """What could not be told any more is told as missed, when the round is over."""
    one = settlement()
    gateway.journal.append(one)
    gateway.journal.acknowledge(one.request_id, 150)
    lose_all(world)
    world.admission.many([fencing.end_booked(CELL, ROUND, [])])

    await retelling.answer(gateway, ROUND)

    assert answers(world) == {}
    assert gateway.journal.answered == 0
    world.admission.open_cells(ROUND)
    missed(world, Round(ROUND, [0] * CELLS))
    await retelling.catch_up(gateway)
    await heard(gateway)
    assert told(world) == [one.request_id]
    assert gateway.journal.answered == ROUND


# ─── rounds that were missed ───────────────────────────────────────────────────────────────────


async def test_catches_up_with_what_it_missed_once(world: World, gateway: Gateway) -> None:
    """Also what the journal has not written yet. It stands in the journal again before it is
    told."""
    made = [settlement(), settlement()]
    for one in made:
        gateway.journal.append(one)
        gateway.journal.acknowledge(one.request_id, 150)
    lose_all(world)
    world.admission.open_cells(ROUND)
    missed(world, Round(ROUND - 1, [0] * CELLS), Round(ROUND, [0] * CELLS))

    await retelling.catch_up(gateway)

    assert gateway.journal.waiting == 2
    await heard(gateway)
    assert gateway.journal.waiting == 0
    assert told(world) == [one.request_id for one in made]
    assert gateway.journal.answered == ROUND
    for one in made:
        world.client.delete(keys.record(CELL, one.request_id))
    await retelling.catch_up(gateway)
    await heard(gateway)
    assert len(told(world)) == 2


@pytest.mark.parametrize("said", [None, b"garbage"])
async def test_has_missed_nothing_that_nobody_names(
    world: World, gateway: Gateway, said: bytes | None
) -> None:
    one = settlement()
    gateway.journal.append(one)
    gateway.journal.acknowledge(one.request_id, 150)
    if said is not None:
        world.client.set(keys.FENCE_ROUNDS, said)

    await retelling.catch_up(gateway)
    await heard(gateway)

    assert told(world) == []
    assert gateway.journal.answered == 0


async def test_catches_up_again_when_the_journal_did_not_take_it(
    world: World, disk: Disk, gateway: Gateway
) -> None:
    """In a round as well: then it is answered, and the mark is not set."""
    one = settlement()
    left_behind(gateway, *acknowledged(one, HOUR))
    lose_all(world)
    missed(world, Round(ROUND - 1, [0] * CELLS))
    passed(world, [now_ms() + HOUR] * CELLS)
    disk.full = True

    await retelling.answer(gateway, ROUND)
    await retelling.catch_up(gateway)

    disk.full = False
    assert gateway.journal.answered == 0
    assert answers(world) == {b"gateway": b"%d" % ROUND}
    world.admission.open_cells(ROUND)
    missed(world, Round(ROUND, [0] * CELLS), Round(ROUND - 1, [0] * CELLS))
    await retelling.catch_up(gateway)
    await heard(gateway)
    assert told(world) == [one.request_id]
    assert gateway.journal.answered == ROUND


async def test_does_not_answer_while_the_disk_takes_no_acknowledgements(
    world: World, disk: Disk, gateway: Gateway
) -> None:
    """To the journal's files they are settlements that are repeated, and nobody repeats them."""
    one = settlement()
    gateway.journal.append(one)
    gateway.journal.acknowledge(one.request_id, 150)
    lose_all(world)
    disk.full = True

    await retelling.answer(gateway, ROUND)

    assert answers(world) == {}
    world.admission.open_cells(ROUND)
    missed(world, Round(ROUND, [0] * CELLS))
    await retelling.catch_up(gateway)
    assert gateway.journal.answered == 0
    disk.full = False
    await retelling.catch_up(gateway)
    await heard(gateway)
    assert told(world) == [one.request_id]
    assert gateway.journal.answered == ROUND


async def test_answers_also_when_more_is_acknowledged_meanwhile(
    world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settlements go on during a round, by the holds that were told in it."""
    one = settlement()
    gateway.journal.append(one)
    lose_all(world)
    read = gateway.journal.told_since

    def read_then_hear(moments: Any) -> Any:
        found = read(moments)
        gateway.journal.acknowledge(one.request_id, 150)
        return found

    monkeypatch.setattr(gateway.journal, "told_since", read_then_hear)

    await retelling.answer(gateway, ROUND)

    assert answers(world) == {b"gateway": b"%d" % ROUND}
