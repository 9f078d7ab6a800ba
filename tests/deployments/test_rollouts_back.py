"""How a form comes back, and what a rollout says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.deployments import rollouts, sides
from portal.deployments.rollouts import Replica, Upcoming, next_step, upcoming
from tests.deployments.test_rollouts import SECOND, World
from tests.factories import NOON


def test_says_that_it_goes_back_or_that_it_replaces_one_by_one() -> None:
    look = World(1, 1).look()

    assert upcoming(look, NOON) == Upcoming("replace")
    assert upcoming(replace(look, back=True), NOON) == Upcoming("back")


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({"stage": 1}, True),
        ({"stage": 0}, False),  # the new ones are not there
        ({"stage": 1, "hurried": True}, False),  # it was told before
        ({"stage": 1, "back": True}, False),
        ({"stage": 0, "held": True}, True),
    ],
)
def test_may_be_told_to_go_on(changes: dict[str, object], may: bool) -> None:
    look = replace(World(1, 1, strategy="canary").look(), **changes)

    assert rollouts.can_go_on(look) == may


def test_an_old_replica_that_was_leaving_stays_when_it_goes_back() -> None:
    leaving = Replica("001", False, "ready", NOON, NOON)
    look = replace(World(1, 1).look(), back=True, replicas=(leaving,))

    step = next_step(look, NOON + SECOND)

    assert step is not None
    assert (step.kind, step.replica) == ("keep", "001")


WAITED = NOON - rollouts.READY_WITHIN


@pytest.mark.parametrize(
    ("new", "old", "changes", "goes"),
    [
        (2, 0, {}, "leave"),
        (1, 1, {}, "leave"),
        (1, 0, {}, "add_old"),  # the last that answers
        (2, 0, {"swaps": False}, "add_old"),  # its cards are of no use to the old form
        (2, 0, {"no_room_since": WAITED + SECOND}, "add_old"),
        (2, 0, {"no_room_since": None}, "add_old"),
    ],
)
def test_one_that_goes_back_in_a_full_fleet_gives_its_own_card(
    new: int, old: int, changes: dict[str, object], goes: str
) -> None:
    replicas = tuple(Replica(f"n{one}", True, "ready", NOON) for one in range(new))
    replicas += tuple(Replica(f"o{one}", False, "ready", NOON) for one in range(old))
    look = replace(World(2, 2).look(), back=True, swaps=True, no_room_since=WAITED)
    look = replace(look, replicas=replicas, **changes)

    step = next_step(look, NOON)

    assert step is not None
    assert step.kind == goes


@pytest.mark.parametrize(
    ("other", "goes"),
    [
        (Replica("o2", False, "starting", WAITED + SECOND), None),
        (Replica("o2", False, "wanted", WAITED + SECOND), None),
        (Replica("o2", False, "starting", WAITED), "leave"),  # it has had its time
        (Replica("o2", False, "failed", NOON), "leave"),
        (Replica("n2", True, "ready", NOON, leaving_at=NOON), None),  # an old one follows it
    ],
)
def test_a_new_one_answers_on_while_an_old_one_may_come_and_no_longer(
    other: Replica, goes: str | None
) -> None:
    answer = (Replica("n1", True, "ready", NOON), Replica("o1", False, "ready", NOON))
    look = replace(World(2, 2).look(), back=True, replicas=(*answer, other))

    step = next_step(look, NOON)

    assert (step.kind if step else None) == goes


def test_one_card_at_a_time_is_given_back() -> None:
    leaving = Replica("n1", True, "ready", NOON, leaving_at=NOON)
    stays = Replica("n2", True, "ready", NOON)
    look = replace(World(2, 2).look(), back=True, swaps=True, no_room_since=WAITED)

    step = next_step(replace(look, replicas=(leaving, stays)), NOON)

    assert step == rollouts.Step("add_old")


@pytest.mark.parametrize(
    ("old", "new", "share"), [(0, 4, 100), (1, 3, 75), (3, 1, 25), (4, 1, 0), (4, 0, 0)]
)
def test_the_old_form_gets_back_what_it_has_the_replicas_for(
    old: int, new: int, share: int
) -> None:
    replicas = [Replica(f"o{one}", False, "ready", NOON) for one in range(old)]
    replicas += [Replica(f"n{one}", True, "ready", NOON) for one in range(new)]
    look = World(4, 4, strategy="canary", stage=3).look()

    assert sides.share(replace(look, back=True, replicas=tuple(replicas))) == share


@pytest.mark.parametrize("state", ["stopping", "stopped"])
def test_what_a_hold_has_stopped_keeps_its_place_and_goes_first(state: str) -> None:
    """Another one is asked for in its stead at the hold's end; nothing is asked for twice."""
    proved = NOON - sides.PROVED_FOR
    over = Replica("o1", False, state, NOON)
    others = (Replica("o0", False, "ready", NOON), Replica("n1", True, "ready", proved))
    look = World(2, 2).look()

    held = replace(look, replicas=(over, replace(over, id="o2"), replace(over, id="o3")))
    assert next_step(held, NOON) is None
    assert next_step(replace(look, replicas=(over, *others)), NOON) == rollouts.Step("remove", "o1")
