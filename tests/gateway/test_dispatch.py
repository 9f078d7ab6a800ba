"""Which target is chosen, as a table; and that no other site is ever looked at."""

from __future__ import annotations

from typing import Any

import pytest

from portal.gateway.dispatch import NoTarget, answering, choose
from portal.routing.table import EndpointRoutes, SiteInfo, Target


def place(name: str, site: str, **more: Any) -> Target:
    return Target(name, site, site[:-2], "rngd", "sha256:x", "http://h:1", "", "m", **more)


A = place("a", "daegu-1")
B = place("b", "gwangju-1")
C = place("c", "seoul-1")
SLOW = place("slow", "daegu-1", state="degraded")
OUT = place("out", "daegu-1", state="out")
HEAVY = place("heavy", "gwangju-1", weight=4)
BOTH = {"daegu-1", "gwangju-1"}


def routes(*targets: Target) -> EndpointRoutes:
    return EndpointRoutes("ep", 1, "m", "chat", 2048, 64, 8, targets)


CASES: list[tuple[tuple[Target, ...], dict[str, Any], str]] = [
    ((A, B), {"in_flight": {"a": 1}}, "b"),
    ((A, B), {"in_flight": {"b": 1}}, "a"),
    ((A, HEAVY), {"in_flight": {"a": 1, "heavy": 3}}, "heavy"),
    ((SLOW, B), {"in_flight": {"b": 9}}, "b"),
    ((SLOW,), {}, "slow"),
    ((OUT, SLOW), {}, "slow"),
    ((A, B), {"failed": {"a"}}, "b"),
    ((A, B), {"cooling": {"a"}, "in_flight": {"b": 50}}, "b"),
    ((A,), {"cooling": {"a"}}, "a"),
    ((A, C), {"in_flight": {"a": 99}}, "a"),
    ((A, B), {"turn": 0}, "a"),
    ((A, B), {"turn": 1}, "b"),
    ((A, B), {"sites": {"daegu-1": SiteInfo("daegu-1", "daegu", "degraded")}}, "b"),
    ((A, B), {"sites": {"daegu-1": SiteInfo("daegu-1", "daegu", "out")}}, "b"),
]


@pytest.mark.parametrize(("targets", "given", "chosen"), CASES)
def test_chooses(targets: tuple[Target, ...], given: dict[str, Any], chosen: str) -> None:
    options: dict[str, Any] = {"sites": {}, "in_flight": {}, **given}

    found = choose(routes(*targets), allowed=BOTH, data_class="open", **options)

    assert found.id == chosen


NONE: list[tuple[tuple[Target, ...], dict[str, Any], str]] = [
    ((), {}, "no replica"),
    ((C,), {}, "'medical'"),
    ((A,), {"allowed": ()}, "'medical'"),
    ((OUT,), {}, "out of service: daegu-1"),
    ((A, B), {"failed": {"a", "b"}}, "none of the allowed sites answered: daegu-1, gwangju-1"),
]


@pytest.mark.parametrize(("targets", "given", "rule"), NONE)
def test_names_the_rule_that_left_none(
    targets: tuple[Target, ...], given: dict[str, Any], rule: str
) -> None:
    options: dict[str, Any] = {"allowed": BOTH, **given}

    with pytest.raises(NoTarget) as found:
        choose(routes(*targets), {}, data_class="medical", in_flight={}, **options)

    assert rule in found.value.rule


def test_tells_where_a_model_answers() -> None:
    assert answering(routes(A, B, C, OUT), {}, BOTH) == ["daegu-1", "gwangju-1"]
    assert answering(routes(OUT, C), {}, BOTH) == []
    assert answering(None, {}, BOTH) == []
