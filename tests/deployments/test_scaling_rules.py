"""How many replicas are wanted: quickly up, slowly down, to nothing and back, within bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.deployments import scaling
from portal.deployments.scaling import Bounds, Look, Memory, decide
from tests.factories import NOON

SECOND = timedelta(seconds=1)
BOUNDS = Bounds(1, 4, 3, up=10 * SECOND, down=300 * SECOND, idle=900 * SECOND)
SLEEPY = replace(BOUNDS, least=0)
MEMORY = Memory(used_at=NOON)


@pytest.mark.parametrize(
    ("bounds", "look", "wanted", "because"),
    [
        (BOUNDS, Look(1, 3), 1, "same"),
        (BOUNDS, Look(1, 4), 2, "busy"),
        (BOUNDS, Look(3, 9, 3), 4, "waiting"),
        (BOUNDS, Look(1, 90), 4, "busy"),  # never above the most
        (BOUNDS, Look(4, 90, 12), 4, "same"),
        (BOUNDS, Look(5, 90), 4, "bounds"),
        (BOUNDS, Look(0), 1, "bounds"),
        (SLEEPY, Look(0), 0, "same"),
        (SLEEPY, Look(0, sleepers=1), 1, "woken"),
        (SLEEPY, Look(0, waiting=7, sleepers=7), 3, "woken"),  # the same requests count once
        (SLEEPY, Look(1), 1, "same"),  # idle, but not for long enough
        (replace(BOUNDS, fixed=2), Look(4, 90), 2, "fixed"),
        (replace(BOUNDS, fixed=9), Look(1), 4, "fixed"),
        (replace(SLEEPY, fixed=0), Look(2, 9), 0, "fixed"),
    ],
)
def test_decides(bounds: Bounds, look: Look, wanted: int, because: str) -> None:
    found = decide(bounds, look, MEMORY, NOON + 60 * SECOND)

    assert (found.replicas, found.because) == (wanted, because)


def test_goes_down_only_after_a_whole_cool_down_and_to_the_most_of_it() -> None:
    memory = MEMORY
    for second in range(0, 300, 10):
        busy = second == 200
        found = decide(BOUNDS, Look(4, 6 if busy else 1), memory, NOON + second * SECOND)
        assert found.because == "same"
        memory = found.memory

    assert decide(BOUNDS, Look(4, 1), memory, NOON + 299 * SECOND).replicas == 4
    after = decide(BOUNDS, Look(4, 1), memory, NOON + 300 * SECOND)
    assert (after.replicas, after.because) == (2, "quiet")
    again = decide(BOUNDS, Look(2, 1), after.memory, NOON + 302 * SECOND)
    assert again.replicas == 2  # the next step needs a cool-down of its own


def test_what_is_needed_meanwhile_begins_the_cool_down_anew() -> None:
    memory = decide(BOUNDS, Look(2, 1), MEMORY, NOON).memory
    memory = decide(BOUNDS, Look(2, 6), memory, NOON + 299 * SECOND).memory

    assert decide(BOUNDS, Look(2, 1), memory, NOON + 301 * SECOND).replicas == 2


def test_steps_up_keep_their_distance() -> None:
    first = decide(BOUNDS, Look(1, 4), MEMORY, NOON)

    assert decide(BOUNDS, Look(2, 9), first.memory, NOON + 9 * SECOND).replicas == 2
    assert decide(BOUNDS, Look(2, 9), first.memory, NOON + 10 * SECOND).replicas == 3


def test_is_woken_at_once_also_where_it_went_up_a_moment_ago() -> None:
    first = decide(SLEEPY, Look(0, sleepers=1), MEMORY, NOON)

    again = decide(SLEEPY, Look(0, sleepers=1), first.memory, NOON + SECOND)

    assert (again.replicas, again.because) == (1, "woken")


@pytest.mark.parametrize(
    ("look", "count"), [(Look(1, 4), 4), (Look(1, 4, 2), 2), (Look(1, 4, 2, sleepers=3), 3)]
)
def test_says_how_many_requests_it_goes_up_for(look: Look, count: int) -> None:
    assert decide(BOUNDS, look, MEMORY, NOON).count == count


def test_a_cool_down_takes_no_last_replica_before_it_was_idle_for_long_enough() -> None:
    memory = MEMORY
    for second in range(0, 900, 50):
        found = decide(SLEEPY, Look(1), memory, NOON + second * SECOND)
        assert found.replicas == 1
        memory = found.memory


@pytest.mark.parametrize(("parallel", "most"), [(0, 2), (1, 1), (4, 2), (16, 11)])
def test_leaves_a_replica_some_of_its_slots(parallel: int, most: int) -> None:
    assert scaling.per_replica(parallel) == most


def test_sleeps_after_the_whole_idle_time_and_never_while_asked() -> None:
    used = decide(SLEEPY, Look(1, 1), MEMORY, NOON + 100 * SECOND).memory

    assert decide(SLEEPY, Look(1), used, NOON + 999 * SECOND).replicas == 1
    assert decide(SLEEPY, Look(2, 1), used, NOON + 5000 * SECOND).replicas > 0
    found = decide(SLEEPY, Look(2), used, NOON + 1000 * SECOND)
    assert (found.replicas, found.because) == (0, "idle")


@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(1, 400)), max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_stays_within_its_bounds_and_serves_who_asks(
    least: int, seconds: list[tuple[int, int, int]]
) -> None:
    bounds, memory, running, now = replace(BOUNDS, least=least), MEMORY, least, NOON
    for in_flight, waiting, later in seconds:
        now += later * SECOND
        look = Look(running, in_flight if running else 0, waiting)
        found = decide(bounds, look, memory, now)
        assert least <= found.replicas <= bounds.most
        assert found.replicas or not look.asked
        assert (found.replicas == running) == (found.because == "same")
        if found.replicas < running:
            assert found.replicas >= scaling.needed(bounds, look)
        running, memory = found.replicas, found.memory
