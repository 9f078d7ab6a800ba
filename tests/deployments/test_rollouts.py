"""How one form takes the place of another: always enough that answer, never too many, and back
whenever something speaks against the new ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.deployments import rollouts, sides
from portal.deployments.rollouts import Look, Replica, Sample, next_step, upcoming
from portal.deployments.sides import Strategy
from tests.factories import NOON

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
any_strategy = st.sampled_from(["rolling", "blue_green", "canary"])


@dataclass
class World:
    """Sites that start what they are asked for after a while, or never."""

    before: int
    after: int
    starts_in: timedelta = 20 * SECOND
    fails: bool = False
    room: int = 100
    strategy: Strategy = "rolling"
    answers: int = 0  # of each form that has a share, in a turn
    held: bool = False
    hurried: bool = False
    stage: int = 0
    stage_since: datetime | None = None
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
    shares: list[int] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.replicas = [self._more(new=False, state="ready") for _ in range(self.before)]

    def _more(self, *, new: bool, state: str = "wanted") -> Replica:
        self.count += 1
        hidden = new and self.strategy != "rolling"
        return Replica(f"{self.count:03}", new, state, self.now, weight=0 if hidden else 100)

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
            self.strategy,
            self.stage,
            self.stage_since,
            self.held,
            self.hurried,
        )

    def _weigh(self) -> None:
        right = rollouts.weights(self.look())
        self.replicas = [replace(one, weight=right[one.id]) for one in self.replicas]

    def share(self) -> int:
        """Percent of the requests that reach the new form."""
        answer = [one for one in self.replicas if one.state == "ready" and not one.leaving_at]
        every = sum(one.weight for one in answer)
        return round(100 * sum(one.weight for one in answer if one.new) / every) if every else 0

    def do(self, step: rollouts.Step) -> None:
        if step.kind in {"add_new", "add_old"}:
            if len(self.replicas) >= self.room:
                self.no_room_since = self.no_room_since or self.now
                return
            self.no_room_since = None
            self.replicas.append(self._more(new=step.kind == "add_new"))
        elif step.kind in {"done", "rolled_back"}:
            self.ended = step.kind
        elif step.kind in {"roll_back", "shift", "weigh"}:
            self._turn(step)
        else:
            self._change(step)

    def _turn(self, step: rollouts.Step) -> None:
        if step.kind == "roll_back":
            self.back, self.because = True, step.because
        elif step.kind == "shift":
            self.stage, self.stage_since, self.new = self.stage + 1, self.now, Sample()
            self.hurried = False
        self._weigh()

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
            self._answer(self.share(), settled=step is None)
            self.now += SECOND if step else 10 * SECOND
            self.replicas = [self._start(one) for one in self.replicas]
            answer = [one for one in self.replicas if one.state == "ready" and not one.leaving_at]
            self.fewest_ready = min(self.fewest_ready, sum(one.weight > 0 for one in answer))
            self.most = max(self.most, len(self.replicas))
        return self

    def _answer(self, share: int, *, settled: bool) -> None:
        if settled and self.shares[-1:] != [share]:
            self.shares.append(share)
        self.old.add(self.answers if share < 100 else 0, 0, [])
        self.new.add(self.answers if share else 0, 0, [])


@given(
    before=st.integers(1, 8),
    after=st.integers(1, 8),
    slow=st.integers(1, 300),
    strategy=any_strategy,
)
@settings(max_examples=50, deadline=None)
def test_ends_with_the_new_form_and_always_with_enough_that_answer(
    before: int, after: int, slow: int, strategy: Strategy
) -> None:
    world = World(before, after, starts_in=slow * SECOND, strategy=strategy).run()

    assert world.ended == "done"
    assert [one.new for one in world.replicas] == [True] * after
    assert world.fewest_ready >= min(before, after)
    assert world.most <= sides.most(strategy, before, after)


@given(
    before=st.integers(1, 8), after=st.integers(1, 8), turn=st.integers(0, 1500),
    strategy=any_strategy,
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_leads_back_from_wherever_it_is(
    before: int, after: int, turn: int, strategy: Strategy
) -> None:
    world = World(before, after, strategy=strategy).run(until=turn * SECOND)
    if not world.ended:
        world.do(rollouts.Step("roll_back"))
        world.run()

        assert world.ended == "rolled_back"
        assert [one.new for one in world.replicas] == [False] * before
        assert world.fewest_ready >= min(before, after)
        assert world.most <= sides.most(strategy, before, after)


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
    ("state", "patience", "because"),
    [
        ("failed", rollouts.FAILED_FOR, rollouts.FAILED),
        ("wanted", rollouts.READY_WITHIN, rollouts.NOT_READY),
        ("starting", rollouts.READY_WITHIN, rollouts.NOT_READY),
    ],
)
def test_gives_a_new_replica_its_time(state: str, patience: timedelta, because: str) -> None:
    look = replace(World(1, 1).look(), replicas=(Replica("n1", True, state, NOON),))

    assert rollouts.trouble(look, NOON + patience - SECOND) == ""
    assert rollouts.trouble(look, NOON + patience) == because
    old = replace(look, replicas=(Replica("o1", False, state, NOON),))
    assert rollouts.trouble(old, NOON + patience) == ""  # no reason to go back to it


def test_looks_for_room_and_goes_on_as_long_as_it_may() -> None:
    look = World(1, 1).look()

    full = replace(look, no_room_since=NOON)
    assert rollouts.trouble(full, NOON + rollouts.READY_WITHIN - SECOND) == ""
    assert rollouts.trouble(full, NOON + rollouts.READY_WITHIN) == rollouts.NO_ROOM
    assert rollouts.trouble(look, NOON + rollouts.LONGEST - SECOND) == ""
    assert rollouts.trouble(look, NOON + rollouts.LONGEST) == rollouts.TOO_LONG


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


@pytest.mark.parametrize("new", [Sample(4, 2, []), Sample(1, 1, [])])
def test_no_old_replica_leaves_while_most_answers_of_the_new_ones_fail(new: Sample) -> None:
    world = World(2, 2, new=new)

    world.run(until=timedelta(minutes=5))

    assert sorted(one.new for one in world.replicas) == [False, False, True]
    world.new = Sample(5, 2, [])
    assert world.run().ended == "done"


@pytest.mark.parametrize(
    ("strategy", "before", "after", "shares"),
    [
        ("blue_green", 3, 2, [0, 100]),
        ("canary", 1, 1, [0, 10, 50, 100]),
        ("canary", 4, 4, [0, 10, 25, 50, 75, 100]),  # none gets more than it will in the end
        ("canary", 8, 2, [0, 10, 50, 100]),
    ],
)
def test_shifts_the_traffic(strategy: Strategy, before: int, after: int, shares: list[int]) -> None:
    world = World(before, after, strategy=strategy, answers=5).run()

    assert world.shares == [pytest.approx(one, abs=1) for one in shares]


@pytest.mark.parametrize(("answers", "minutes"), [(5, 15), (0, 30)])
def test_a_canary_is_watched_for_longer_where_there_is_little_to_see(
    answers: int, minutes: int
) -> None:
    world = World(1, 1, strategy="canary", answers=answers).run()

    took = world.now - NOON
    assert timedelta(minutes=minutes) < took < timedelta(minutes=minutes + 3)


def test_a_held_canary_stays_and_goes_on_when_told() -> None:
    world = World(1, 1, strategy="canary", answers=5, held=True)
    world.stage, world.stage_since = 1, NOON
    world.run(until=timedelta(hours=1))
    assert (world.stage, world.ended) == (1, "")

    world.held, world.hurried = False, True
    world.run(until=timedelta(hours=1, seconds=20))

    assert (world.stage, world.hurried) == (2, False)  # the next share has its whole time again


@pytest.mark.parametrize(("stage", "ended"), [(0, "rolled_back"), (1, "done")])
def test_a_rollout_that_is_held_for_too_long_ends_as_it_stands(stage: int, ended: str) -> None:
    """Once all traffic goes to the new form there is nothing to go back for."""
    world = World(1, 1, strategy="blue_green", held=True, stage=stage, stage_since=NOON)

    assert world.run().ended == ended


def test_the_old_ones_answer_again_at_once_when_no_new_one_does() -> None:
    world = World(2, 2, strategy="blue_green").run(until=timedelta(minutes=3))
    assert world.share() == 100
    world.replicas = [
        replace(one, state="starting", since=world.now) if one.new else one
        for one in world.replicas
    ]

    step = next_step(world.look(), world.now)

    assert step is not None
    world.do(step)
    assert [one.weight for one in world.replicas if not one.new] == [100, 100]


def test_says_what_comes_next_and_when() -> None:
    world = World(1, 1, strategy="canary", answers=5)
    said = []
    for minute in (0, 1, 8, 14):
        world.run(until=timedelta(minutes=minute))
        found = upcoming(world.look(), world.now)
        said.append((found.what, found.share, found.at is not None))

    assert said == [
        ("ready", None, False),
        ("shift", 50, True),
        ("shift", 100, True),
        ("old_go", None, True),
    ]


@pytest.mark.parametrize(
    ("answers", "minutes"), [(sides.MIN_SAMPLE, 5), (sides.MIN_SAMPLE - 1, 10)]
)
def test_a_share_lasts_until_there_was_enough_to_judge_by(answers: int, minutes: int) -> None:
    ready = Replica("n1", True, "ready", NOON)
    look = World(1, 1, strategy="canary", stage=1, stage_since=NOON).look()
    look = replace(look, replicas=(*look.replicas, ready), new=Sample(answers))

    assert upcoming(look, NOON + HOUR).at == NOON + timedelta(minutes=minutes)
