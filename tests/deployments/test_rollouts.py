"""How one form takes the place of another: always enough that answer, never too many, and back
whenever something speaks against the new ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.deployments import rollouts
from portal.deployments.rollouts import Look, Replica, Sample, next_step
from tests.factories import NOON

SECOND = timedelta(seconds=1)


@dataclass
class World:
    """Sites that start what they are asked for after a while, or never."""

    before: int
    after: int
    starts_in: timedelta = 20 * SECOND
    fails: bool = False
    room: int = 100
    now: datetime = NOON
    back: bool = False
    ended: str = ""
    because: str = ""
    old: Sample = field(default_factory=Sample)
    new: Sample = field(default_factory=Sample)
    replicas: list[Replica] = field(default_factory=list)
    no_room_since: datetime | None = None
    fewest_ready: int = 99
    most: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        self.replicas = [self._more(new=False, state="ready") for _ in range(self.before)]

    def _more(self, *, new: bool, state: str = "wanted") -> Replica:
        self.count += 1
        return Replica(f"{self.count:03}", new, state, self.now)

    def look(self) -> Look:
        return Look(
            self.back,
            NOON,
            self.before,
            self.after,
            tuple(self.replicas),
            self.old,
            self.new,
            self.no_room_since,
        )

    def do(self, step: rollouts.Step) -> None:
        if step.kind in {"add_new", "add_old"}:
            if len(self.replicas) >= self.room:
                self.no_room_since = self.no_room_since or self.now
                return
            self.no_room_since = None
            self.replicas.append(self._more(new=step.kind == "add_new"))
        elif step.kind in {"done", "rolled_back"}:
            self.ended = step.kind
        elif step.kind == "roll_back":
            self.back, self.because = True, step.because
        else:
            self._change(step)

    def _change(self, step: rollouts.Step) -> None:
        leaving = self.now if step.kind == "leave" else None
        kept = [one for one in self.replicas if step.kind != "remove" or one.id != step.replica]
        self.replicas = [
            replace(one, leaving_at=leaving) if one.id == step.replica else one for one in kept
        ]

    def _start(self, one: Replica) -> Replica:
        if one.state != "wanted" or self.now - one.since < self.starts_in:
            return one
        return replace(one, state="failed" if self.fails and one.new else "ready", since=self.now)

    def run(self, until: timedelta = timedelta(hours=4)) -> World:
        while not self.ended and self.now < NOON + until:
            step = next_step(self.look(), self.now)
            if step is not None:
                self.do(step)
            self.now += SECOND if step else 5 * SECOND
            self.replicas = [self._start(one) for one in self.replicas]
            answer = [one for one in self.replicas if one.state == "ready" and not one.leaving_at]
            self.fewest_ready = min(self.fewest_ready, len(answer))
            self.most = max(self.most, len(self.replicas))
        return self


@given(before=st.integers(1, 8), after=st.integers(1, 8), slow=st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_ends_with_the_new_form_and_always_with_enough_that_answer(
    before: int, after: int, slow: int
) -> None:
    world = World(before, after, starts_in=slow * SECOND).run()

    assert world.ended == "done"
    assert [one.new for one in world.replicas] == [True] * after
    assert world.fewest_ready >= min(before, after)
    assert world.most <= max(before, after) + 1


@given(before=st.integers(1, 8), after=st.integers(1, 8), turn=st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_leads_back_from_wherever_it_is(before: int, after: int, turn: int) -> None:
    world = World(before, after).run(until=turn * SECOND)
    if not world.ended:
        world.back = True
        world.run()

        assert world.ended == "rolled_back"
        assert [one.new for one in world.replicas] == [False] * before
        assert world.fewest_ready >= 1
        assert world.most <= max(before, after) + 1


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"fails": True}, rollouts.FAILED),
        ({"starts_in": timedelta(hours=1)}, rollouts.NOT_READY),
        ({"room": 2}, rollouts.NO_ROOM),
        ({"new": Sample(20, 2, [])}, rollouts.ERRORS),
        ({"new": Sample(5, 3, [])}, rollouts.ERRORS),
        ({"old": Sample(0, 0, [100] * 20), "new": Sample(0, 0, [400] * 20)}, rollouts.SLOW),
    ],
)
def test_rolls_back_for(changes: dict[str, object], because: str) -> None:
    world = World(2, 2, **changes).run()  # type: ignore[arg-type]

    assert (world.ended, world.because) == ("rolled_back", because)
    assert [one.new for one in world.replicas] == [False, False]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Sample(), Sample(19, 9, [])),  # too few to say
        (Sample(100, 10, []), Sample(100, 15, [])),  # the old ones are not much better
        (Sample(0, 0, [100] * 20), Sample(0, 0, [299] * 20)),  # slower, by little
        (Sample(0, 0, [400] * 20), Sample(0, 0, [700] * 20)),  # by a part
    ],
)
def test_goes_on_in_spite_of(old: Sample, new: Sample) -> None:
    assert World(2, 2, old=old, new=new).run().ended == "done"


def test_no_old_replica_leaves_while_most_answers_of_the_new_ones_fail() -> None:
    world = World(2, 2, new=Sample(4, 2, []))

    world.run(until=timedelta(minutes=5))

    assert sorted(one.new for one in world.replicas) == [False, False, True]
    world.new = Sample(5, 2, [])
    assert world.run().ended == "done"


def test_an_old_replica_that_was_leaving_stays_when_it_goes_back() -> None:
    leaving = Replica("001", False, "ready", NOON, NOON)
    look = replace(World(1, 1).look(), back=True, replicas=(leaving,))

    step = next_step(look, NOON + SECOND)

    assert step is not None
    assert (step.kind, step.replica) == ("keep", "001")
