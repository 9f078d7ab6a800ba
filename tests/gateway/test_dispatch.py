"""Which target is chosen, as tables; what always holds, as properties; and that no other site is
ever looked at."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from portal.gateway import dispatch
from portal.gateway.dispatch import AllBusy, Candidate, NoReplica, NoTarget, answering, choose
from portal.gateway.loads import TargetLoad
from portal.routing.table import EndpointRoutes, SiteInfo, Target

BEGAN = 0.0
NOW = 100.0  # slow starts are over


def place(name: str, site: str, **more: Any) -> Target:
    return Target(name, site, site[:-2], "rngd", "sha256:x", "http://h:1", "", "m", **more)


A = place("a", "daegu-1")
B = place("b", "gwangju-1")
C = place("c", "seoul-1")
SLOW = place("slow", "daegu-1", state="degraded")
OUT = place("out", "daegu-1", state="out")
HEAVY = place("heavy", "gwangju-1", weight=4)
IDLE = place("idle", "daegu-1", weight=0)
MOST = {"dice": 2**32 - 1}
SMALL = place("small", "daegu-1", slots=2)
BOTH = {"daegu-1", "gwangju-1"}


def routes(*targets: Target) -> EndpointRoutes:
    return EndpointRoutes("ep", 1, "m", "chat", 2048, 64, 8, targets)


def known(
    *targets: Target, sites: dict[str, SiteInfo] | None = None, gateways: int = 1, **facts: Any
) -> list[Candidate]:
    """Candidates of whom some ``facts`` are known, by name: ``in_flight={"a": 3}``."""
    uneven = dispatch.are_uneven(targets)
    found = [
        dispatch.candidate(t, sites or {}, TargetLoad(BEGAN), gateways, uneven=uneven)
        for t in targets
    ]
    for one in found:
        tell(one.load, one.target.id, facts)
    return found


def tell(load: TargetLoad, name: str, facts: dict[str, Any]) -> None:
    for _ in range(facts.get("in_flight", {}).get(name, 0)):
        load.begin(NOW)
    if name in facts.get("latency", {}):
        load.begin(NOW)
        load.first_byte(facts["latency"][name], NOW)
        load.hear()
        load.end()
    if name in facts.get("cooling", ()):
        load.fail(NOW)
    if name in facts.get("silent", ()):
        load.begin(NOW - 10)
    if name in facts.get("busy", {}):
        load.busy(facts["busy"][name], NOW)
    if name in facts.get("new", ()):
        load.since = NOW


def chosen(candidates: list[Candidate], **options: Any) -> Candidate | None:
    given: dict[str, Any] = {"allowed": BOTH, "data_class": "open", "now": NOW, "dice": 0}
    return choose(candidates, **given | options)


FAVOURITE: dict[str, Any] = {"favourite": "a"}
CASES: list[tuple[tuple[Target, ...], dict[str, Any], dict[str, Any], str]] = [
    ((A, B), {"in_flight": {"a": 1}}, {}, "b"),
    ((A, B), {"in_flight": {"b": 1}}, {}, "a"),
    # Where weights differ they decide, and not the load; of those that may be asked.
    ((A, HEAVY), {"in_flight": {"heavy": 3}}, MOST, "heavy"),
    ((A, HEAVY), {"in_flight": {"a": 3}}, {}, "a"),
    ((A, HEAVY), {}, MOST | {"failed": {"heavy"}}, "a"),
    ((A, HEAVY), {}, FAVOURITE | MOST, "heavy"),
    ((A, B, HEAVY), {"in_flight": {"a": 1}}, {}, "b"),  # among equals as ever
    ((IDLE, B), {"in_flight": {"b": 99}}, {}, "b"),
    ((SLOW, B), {"in_flight": {"b": 9}}, {}, "b"),
    ((SLOW,), {}, {}, "slow"),
    ((OUT, SLOW), {}, {}, "slow"),
    ((A, B), {}, {"failed": {"a"}}, "b"),
    ((A, B), {"cooling": {"a"}, "in_flight": {"b": 50}}, {}, "b"),
    ((A,), {"cooling": {"a"}}, {}, "a"),
    ((A, B), {"cooling": {"a"}}, {"failed": {"b"}}, "a"),
    ((A, C), {"in_flight": {"a": 99}}, {}, "a"),
    ((A, B), {}, {"dice": 0}, "a"),
    ((A, B), {}, {"dice": 1}, "b"),
    ((A, B), {"sites": {"daegu-1": SiteInfo("daegu-1", "daegu", "degraded")}}, {}, "b"),
    ((A, B), {"sites": {"daegu-1": SiteInfo("daegu-1", "daegu", "out")}}, {}, "b"),
    # Latency, told apart from load: three in flight here are as good as one at a slower one.
    ((A, B), {"latency": {"a": 300, "b": 100}}, {}, "b"),
    ((A, B), {"latency": {"a": 300, "b": 100}, "in_flight": {"b": 3}}, {}, "a"),
    ((A, B), {"latency": {"a": 3}, "in_flight": {"a": 2, "b": 1}}, {}, "b"),  # b is not known
    ((A, B), {"latency": {"a": 300, "b": 1}, "in_flight": {"b": 1}}, {"now": NOW + 60}, "a"),
    # A region nearby wins among equals, and never against load.
    ((A, B), {}, {"region": "gwangju"}, "b"),
    ((A, B), {"in_flight": {"b": 1}}, {"region": "gwangju"}, "a"),
    # The same prefix goes back unless too much is in flight there.
    ((A, B), {"latency": {"a": 150}}, FAVOURITE, "a"),
    ((A, B), {"in_flight": {"a": 1}}, FAVOURITE, "a"),
    ((A, B), {"in_flight": {"a": 2}}, FAVOURITE, "b"),
    ((A, B), {"in_flight": {"a": 20, "b": 20}}, FAVOURITE, "a"),
    ((A, B), {"in_flight": {"a": 28, "b": 16}}, FAVOURITE, "a"),
    ((A, B), {"in_flight": {"a": 29, "b": 16}}, FAVOURITE, "b"),
    ((A, B), {"cooling": {"a"}}, FAVOURITE, "b"),
    ((A, B), {}, FAVOURITE | {"failed": {"a"}}, "b"),
    ((C, B), {}, {"favourite": "c"}, "b"),
    # One that answers nobody is set aside, whatever it has to do.
    ((A, B), {"silent": {"a"}, "in_flight": {"b": 50}}, {}, "b"),
    # One that comes back early because too many failed is healthier than a degraded one.
    ((SLOW, A, B), {"cooling": {"a", "b"}, "in_flight": {"a": 9}}, {}, "a"),
    # What said when to come back is not asked before.
    ((A, B), {"busy": {"a": 7}, "in_flight": {"b": 50}}, {}, "b"),
    ((A, B), {"busy": {"a": 7}}, {"now": NOW + 7.5, "dice": 0}, "a"),
    # Slots: a degraded one with room comes before a wait, one that is set aside does not.
    ((SMALL, B), {"in_flight": {"small": 2, "b": 9}}, {}, "b"),
    ((SMALL, place("bad", "gwangju-1", state="degraded")), {"in_flight": {"small": 2}}, {}, "bad"),
    # A new target beside a known one begins with a tenth of its weight.
    ((A, B), {"new": {"a"}, "in_flight": {"b": 8}}, {}, "b"),
    ((A, B), {"new": {"a"}, "in_flight": {"b": 11}}, {}, "a"),
    ((A, B), {"new": {"a"}, "in_flight": {"b": 3}}, {"now": NOW + 5}, "a"),
]


@pytest.mark.parametrize(("targets", "facts", "options", "name"), CASES)
def test_chooses(
    targets: tuple[Target, ...], facts: dict[str, Any], options: dict[str, Any], name: str
) -> None:
    found = chosen(known(*targets, **facts), **options)

    assert found is not None and found.target.id == name


WAITS: list[tuple[tuple[Target, ...], dict[str, Any]]] = [
    ((SMALL,), {"in_flight": {"small": 2}}),
    ((SMALL, C), {"in_flight": {"small": 2}}),
    ((SMALL, B), {"in_flight": {"small": 2}, "cooling": {"b"}}),
    ((SMALL, B), {"in_flight": {"small": 2}, "busy": {"b": 7}}),
    ((SMALL,), {"in_flight": {"small": 1}, "gateways": 2}),  # each of two gateways has one slot
]


@pytest.mark.parametrize(("targets", "facts"), WAITS)
def test_waits_for_a_slot(targets: tuple[Target, ...], facts: dict[str, Any]) -> None:
    assert chosen(known(*targets, **facts)) is None


NONE: list[tuple[tuple[Target, ...], dict[str, Any], str]] = [
    ((), {}, "no replica"),
    ((C,), {}, "'medical'"),
    ((A,), {"allowed": ()}, "'medical'"),
    ((OUT,), {}, "out of service: daegu-1"),
    ((IDLE, C), {}, "no new requests on the sites that this key and its data class allow: daegu-1"),
    ((A, B), {"failed": {"a", "b"}}, "none of the allowed sites answered: daegu-1, gwangju-1"),
]


@pytest.mark.parametrize(("targets", "options", "rule"), NONE)
def test_names_the_rule_that_left_none(
    targets: tuple[Target, ...], options: dict[str, Any], rule: str
) -> None:
    with pytest.raises(NoTarget) as found:
        chosen(known(*targets), data_class="medical", **options)

    assert rule in found.value.rule
    assert isinstance(found.value, NoReplica) == (not targets)


def test_says_when_the_first_of_the_busy_can_be_asked_again() -> None:
    with pytest.raises(AllBusy, match="no room: daegu-1, gwangju-1") as found:
        chosen(known(A, B, busy={"a": 9, "b": 4}))

    assert found.value.seconds == 4


def test_a_busy_site_is_bounded_in_what_it_asks_for() -> None:
    with pytest.raises(AllBusy) as found:
        chosen(known(A, busy={"a": 100_000}))

    assert found.value.seconds == 60


@pytest.mark.parametrize(("count", "most"), [(1, 0), (2, 1), (3, 1), (4, 2), (8, 4)])
@pytest.mark.parametrize("failing", range(9))
def test_never_sets_aside_more_than_half(count: int, most: int, failing: int) -> None:
    targets = [place(f"t{n}", "daegu-1") for n in range(count)]
    candidates = known(*targets)
    for one in candidates[:failing]:
        for _ in range(20):
            one.load.fail(NOW)

    dice = Random(1)
    used = set()
    for _ in range(400):  # none of which ends, so that everybody's turn comes
        found = chosen(candidates, dice=dice.getrandbits(32))
        assert found is not None
        found.load.in_flight += 1
        used.add(found.target.id)

    assert len(used) == count - min(failing, count, most)


def test_readmits_what_is_aside_for_the_shortest_time() -> None:
    silent, ejected, short = candidates = known(A, B, place("s", "daegu-1"))
    silent.load.begin(NOW - 10)
    for _ in range(9):
        ejected.load.fail(NOW)
    short.load.fail(NOW)

    found = chosen(candidates)

    assert found is short


@pytest.mark.parametrize(
    ("slots", "gateways", "share"),
    [(4, 1, 4), (4, 2, 2), (3, 2, 2), (1, 4, 1), (4, 0, 4), (0, 3, 0)],
)
def test_gateways_share_the_slots_of_a_target(slots: int, gateways: int, share: int) -> None:
    """At least one each, or a gateway would have nothing; no bound stays none."""
    [found] = known(place("p", "daegu-1", slots=slots), gateways=gateways)

    assert found.slots == share


def test_tells_where_a_model_answers() -> None:
    assert answering(routes(A, B, C, OUT), {}, BOTH) == ["daegu-1", "gwangju-1"]
    assert answering(routes(OUT, C), {}, BOTH) == []
    assert answering(None, {}, BOTH) == []


SITES = ("daegu-1", "gwangju-1", "seoul-1")
any_target = some.builds(
    place,
    name=some.uuids().map(str),
    site=some.sampled_from(SITES),
    state=some.sampled_from(["healthy", "degraded", "out"]),
    weight=some.integers(0, 4),
    slots=some.integers(0, 3),
)
any_fact = some.sampled_from(["begin", "fail", "busy", "told", "answer", "nothing"])


@settings(max_examples=300, deadline=None)
@given(
    places=some.lists(some.tuples(any_target, some.lists(any_fact, max_size=8)), max_size=8),
    allowed=some.sets(some.sampled_from(SITES)),
    dice=some.integers(0, 2**32 - 1),
    favoured=some.integers(0, 7),
    fails=some.sets(some.integers(0, 7)),
)
def test_only_ever_an_allowed_target_with_room(
    places: list[tuple[Target, list[str]]],
    allowed: set[str],
    dice: int,
    favoured: int,
    fails: set[int],
) -> None:
    candidates = known(*(target for target, _ in places))
    for one, (_, facts) in zip(candidates, places, strict=True):
        for fact in facts:
            _happen(one.load, fact)
    failed = {one.target.id for n, one in enumerate(candidates) if n in fails}
    favourite = candidates[favoured].target.id if favoured < len(candidates) else ""

    try:
        found = chosen(candidates, allowed=allowed, dice=dice, favourite=favourite, failed=failed)
    except NoTarget as none:
        assert none.rule.endswith(".")
        usable = []
    else:
        usable = [
            one
            for one in candidates
            if one.target.site in allowed
            and one.rank != dispatch.OUT
            and one.target.id not in failed
            and one.load.busy_until <= NOW
        ]
        assert usable
        if found is not None:
            assert found in usable
            assert not found.slots or found.load.in_flight < found.slots


def _happen(load: TargetLoad, fact: str) -> None:
    match fact:
        case "begin":
            load.begin(NOW)
        case "fail":
            load.fail(NOW)
        case "busy":
            load.busy(0, NOW)
        case "told":
            load.busy(3, NOW)
        case "answer":
            load.begin(NOW)
            load.first_byte(50, NOW)
            load.hear()
            load.end()


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"old": 100, "new": 11}, {"old": 901, "new": 99}),  # one in ten
        ({"old": 100, "other": 100, "new": 22}, {"old": 450, "other": 450, "new": 100}),
        ({"old": 100, "other": 50, "new": 50}, {"old": 500, "other": 250, "new": 250}),
        ({"old": 0, "new": 100}, {"old": 0, "new": 1000}),
    ],
)
def test_shares_come_out_as_weights_say(weights: dict[str, int], shares: dict[str, int]) -> None:
    """Whatever they have to do, and however soon they answer."""
    places = [place(name, "daegu-1", weight=weight) for name, weight in weights.items()]
    candidates = known(*places, latency={"old": 900, "new": 10}, in_flight={"new": 30})
    dice = Random(3)

    counts = dict.fromkeys(weights, 0)
    for _ in range(10_000):
        found = chosen(candidates, dice=dice.getrandbits(32))
        assert found is not None
        found.load.in_flight += 1
        counts[found.target.id] += 1

    assert {name: pytest.approx(share * 10, abs=120) for name, share in shares.items()} == counts


def test_two_choices_keep_loads_level() -> None:
    """1,000 requests, none of which ends, over eight equal targets."""
    candidates = known(*(place(f"t{n}", "daegu-1") for n in range(8)))
    dice = Random(7)

    for _ in range(1000):
        found = chosen(candidates, dice=dice.getrandbits(32))
        assert found is not None
        found.load.in_flight += 1  # answered at once, and goes on

    loads = [one.load.in_flight for one in candidates]
    assert max(loads) - min(loads) <= 4
