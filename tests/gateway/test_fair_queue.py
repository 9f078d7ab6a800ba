"""Who is next, as cases; and that a flood delays nobody else, on virtual time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from portal.gateway.fair_queue import FairQueue, Full


def queue(most: int = 100, most_each: int = 100) -> FairQueue[str]:
    return FairQueue(most, most_each)


def order(one: FairQueue[str], *, keep: bool = True) -> str:
    """Items as they are served; each stays in service if ``keep``."""
    found = ""
    while (served := one.serve(lambda item: item)) is not None:
        organization, item, _ = served
        found += item
        if keep:
            one.began(organization)
    return found


def fill(one: FairQueue[str], items: str) -> None:
    """``a1`` by organization a, as its first."""
    for item in items:
        one.put(item.lower(), "anywhere", item)


@pytest.mark.parametrize(
    ("waiting", "served"),
    [
        ("", ""),
        ("aaa", "aaa"),
        ("aaab", "abaa"),
        ("aaabbb", "ababab"),
        ("aaaabc", "abcaaa"),
    ],
)
def test_organizations_take_turns(waiting: str, served: str) -> None:
    one = queue()

    fill(one, waiting)

    assert order(one) == served
    assert one.length == 0


def test_whoever_is_served_least_is_next() -> None:
    one = queue()
    for organization in "aaab":
        one.began(organization)

    fill(one, "abbb")

    assert order(one) == "bbab"


def test_equals_take_turns_also_when_answers_are_quick() -> None:
    one = queue()

    fill(one, "aaabbb")

    assert order(one, keep=False) == "ababab"


def test_asks_others_when_the_next_can_be_served_nowhere() -> None:
    one = queue()
    one.put("a", "daegu", "first of a")
    one.put("a", "daegu", "second of a")
    one.put("a", "busan", "third of a")
    one.put("b", "busan", "first of b")

    asked: list[str] = []
    served = one.serve(lambda item: asked.append(item) or (item if "b" in item[-1] else None))

    assert asked == ["first of a", "third of a", "first of b"]
    assert served is not None and served[:2] == ("b", "first of b")
    assert one.length == 3


def test_refuses_more_than_one_organizations_share() -> None:
    one = queue(most_each=2)
    fill(one, "aab")

    with pytest.raises(Full):
        one.put("a", "anywhere", "a")

    assert one.is_full_for("a") and not one.is_full_for("b")


def test_a_full_queue_gives_a_place_of_the_largest_crowd_to_a_newcomer() -> None:
    one = queue(most=4)
    for number in range(4):
        one.put("a", "anywhere", f"a{number}")

    evicted = one.put("b", "anywhere", "b0")

    assert evicted == "a3"
    assert one.length == 4
    assert one.put("b", "anywhere", "b1") == "a2"
    with pytest.raises(Full):
        one.put("b", "anywhere", "b2")
    with pytest.raises(Full):
        one.put("a", "anywhere", "a4")


def test_a_newcomer_takes_no_place_that_would_make_it_the_largest_crowd() -> None:
    one = queue(most=3)
    fill(one, "aaa")
    one.put("b", "anywhere", "b0")

    with pytest.raises(Full):  # two of a, one of b: another exchange would only turn that round
        one.put("b", "anywhere", "b1")


def test_the_youngest_of_the_longest_lane_gives_its_place() -> None:
    one = queue(most=4)
    for places, item in (("here", "a0"), ("here", "a1"), ("here", "a2"), ("there", "a3")):
        one.put("a", places, item)

    assert one.put("b", "anywhere", "b0") == "a2"


def test_forgets_who_left() -> None:
    one = queue()
    fill(one, "aab")

    assert one.remove("b", "anywhere", "b")
    assert not one.remove("b", "anywhere", "b")
    assert not one.remove("c", "anywhere", "c")

    assert order(one, keep=False) == "aa"
    assert one.is_unused


@settings(max_examples=300, deadline=None)
@given(
    steps=some.lists(
        some.tuples(some.sampled_from(["put", "serve", "end", "leave"]), some.sampled_from("abc")),
        max_size=60,
    )
)
def test_loses_and_doubles_nobody(steps: list[tuple[str, str]]) -> None:
    one: FairQueue[int] = FairQueue(6, 4)
    waiting: dict[int, str] = {}
    serving: list[str] = []
    for number, (step, organization) in enumerate(steps):
        match step:
            case "put":
                try:
                    evicted = one.put(organization, "x", number)
                except Full:
                    continue
                waiting[number] = organization
                if evicted is not None:
                    del waiting[evicted]
            case "serve":
                if served := one.serve(lambda item: item):
                    assert waiting.pop(served[1]) == served[0]
                    one.began(served[0])
                    serving.append(served[0])
            case "end" if serving:
                one.ended(serving.pop())
            case "leave" if waiting:
                left = next(iter(waiting))
                assert one.remove(waiting.pop(left), "x", left)
        assert one.length == len(waiting) <= 6
        counts = [list(waiting.values()).count(name) for name in "abc"]
        assert max(counts) <= 4
    assert one.is_unused == (not waiting and not serving)


SLOTS = 8
SECOND = 1.0


def p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def simulate(offered: dict[str, float], *, seconds: float, seed: int = 1) -> dict[str, list[float]]:
    """Times from arrival to end, by organization, of ``offered`` requests a second. Service takes
    50 to 150 ms in each of eight slots; refused requests are not among the times."""
    dice = Random(seed)
    one: FairQueue[tuple[str, float]] = FairQueue(256, 128)
    events: list[tuple[float, int, str, float]] = []  # when, tie, of whom, when it arrived (ends)
    for organization, rate in offered.items():
        at = 0.0
        while (at := at + dice.expovariate(rate)) < seconds:
            events.append((at, len(events), organization, -1.0))
    heapq.heapify(events)
    busy, tie = 0, len(events)
    times: dict[str, list[float]] = defaultdict(list)
    while events:
        now, _, organization, arrived = heapq.heappop(events)
        if arrived >= 0:
            busy -= 1
            one.ended(organization)
            times[organization].append(now - arrived)
        else:
            try:
                one.put(organization, "x", (organization, now))
            except Full:
                continue
        while busy < SLOTS and (served := one.serve(lambda item: item)) is not None:
            organization, (_, arrived), _ = served
            one.began(organization)
            busy, tie = busy + 1, tie + 1
            heapq.heappush(events, (now + dice.uniform(0.05, 0.15), tie, organization, arrived))
    return times


@pytest.mark.parametrize("rate", [1.0, 10.0, 30.0])
def test_a_flood_leaves_others_within_twice_their_own_time(rate: float) -> None:
    """Eight slots answer 80 requests a second. One organization asks 400 a second, another
    fewer than its half: 95 of a hundred of them end within twice what they take alone."""
    alone = simulate({"quiet": rate}, seconds=200)
    beside = simulate({"quiet": rate, "flood": 400.0}, seconds=200)

    assert p95(beside["quiet"]) <= 2 * p95(alone["quiet"])
    assert p95(beside["flood"]) > 3 * p95(alone["quiet"])  # the flood waits for itself
    total = sum(len(times) for times in beside.values())
    assert total >= 0.95 * 80 * 200  # and no slot stays empty


def test_many_floods_leave_a_quiet_one_its_share() -> None:
    floods = {f"flood{n}": 100.0 for n in range(5)}

    alone = simulate({"quiet": 5.0}, seconds=200)
    beside = simulate({"quiet": 5.0, **floods}, seconds=200)

    assert p95(beside["quiet"]) <= 2 * p95(alone["quiet"])
    assert len(beside["quiet"]) >= 0.95 * len(alone["quiet"])  # it is not refused either
    shares = [len(beside[name]) for name in floods]
    assert max(shares) <= 1.1 * min(shares)
