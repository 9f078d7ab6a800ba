"""Who signs what: a matrix without faults gives exactly one chain for each amount."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.approvals import defaults
from billing.approvals.checking import Fault, Staff, faults
from billing.approvals.matrix import (
    CLASSES,
    KINDS,
    MOST_WON,
    ORDER,
    RAISE,
    SITES,
    TRANSFER,
    BadMatrix,
    Matrix,
    Rule,
    Step,
    from_json,
    to_json,
)

STAFF = Staff(
    members={"mem_a": "owner", "mem_c": "budget_officer", "mem_e": "administrator"},
    roles=frozenset({"owner", "administrator", "budget_officer"}),
)
ANYBODY = Step(roles=("owner", "budget_officer"))
REST = (
    Rule(RAISE, steps=(ANYBODY,)),
    Rule(TRANSFER, steps=(ANYBODY,)),
    Rule(SITES),
)


def orders(*rules: Rule) -> Matrix:
    """A matrix that is right apart from its rules for orders."""
    return Matrix((*rules, *REST))


@pytest.mark.parametrize("kind", ["sme", "hospital", "public", "operator"])
def test_begins_with_rules_that_are_right(kind: str) -> None:
    assert faults(defaults.of(kind), STAFF) == []


def test_small_orders_of_a_firm_need_nobody_and_large_ones_one() -> None:
    matrix = defaults.of("sme")

    assert matrix.rule_for(ORDER, 4_999_999, "open").steps == ()
    assert matrix.rule_for(ORDER, 5_000_000, "open").steps == (ANYBODY,)


def test_orders_of_a_public_body_are_signed_by_its_budget_officer_then_its_owner() -> None:
    steps = defaults.of("public").rule_for(ORDER, 1_000_000, "medical").steps

    assert [step.roles for step in steps] == [("budget_officer",), ("owner",)]


WRONG: dict[str, tuple[Matrix, str]] = {
    "no rules": (Matrix(()), "rules"),
    "unknown kind": (orders(Rule("party")), "kind"),
    "negative": (orders(Rule(ORDER, -1)), "amount"),
    "giant": (orders(Rule(ORDER, 0, MOST_WON + 1)), "amount"),
    "ends before it begins": (orders(Rule(ORDER, 10, 10)), "band"),
    "unknown class": (orders(Rule(ORDER, data_classes=("secret",))), "data_class"),
    "class twice": (orders(Rule(ORDER, data_classes=("open", "open"))), "data_class"),
    "overlap": (orders(Rule(ORDER, 0, 100), Rule(ORDER, 99)), "overlap"),
    "overlap in one class": (orders(Rule(ORDER), Rule(ORDER, data_classes=("open",))), "overlap"),
    "gap between": (orders(Rule(ORDER, 0, 100), Rule(ORDER, 101)), "gap"),
    "gap before": (orders(Rule(ORDER, 1)), "gap"),
    "gap after": (orders(Rule(ORDER, 0, 100)), "gap"),
    "class left out": (orders(Rule(ORDER, data_classes=("open", "medical"))), "gap"),
    "kind left out": (orders(), "gap"),
    "nobody named": (orders(Rule(ORDER, steps=(Step(),))), "step_empty"),
    "nobody needed": (orders(Rule(ORDER, steps=(Step(("owner",), needed=0),))), "needed"),
    "too many needed": (orders(Rule(ORDER, steps=(Step(("owner",), needed=6),))), "needed"),
    "two owners of one": (orders(Rule(ORDER, steps=(Step(("owner",), needed=2),))), "nobody"),
    "a role that may not": (orders(Rule(ORDER, steps=(Step(("developer",)),))), "role"),
    "a role twice": (orders(Rule(ORDER, steps=(Step(("owner", "owner")),))), "role"),
    "somebody unknown": (orders(Rule(ORDER, steps=(Step((), ("mem_y", "mem_x")),))), "member"),
    "somebody twice": (orders(Rule(ORDER, steps=(Step((), ("mem_a", "mem_a")),))), "named"),
    "too many steps": (orders(Rule(ORDER, steps=(ANYBODY,) * 6)), "steps"),
    "a raise alone": (Matrix((Rule(ORDER), Rule(RAISE), *REST[1:])), "alone"),
}


@pytest.mark.parametrize("what", WRONG)
def test_names_what_is_wrong(what: str) -> None:
    matrix, code = WRONG[what]

    assert code in [one.code for one in faults(matrix, STAFF)]


OPEN_ORDERS = {"kind": ORDER, "data_class": "open"}
SAID: dict[str, list[Fault]] = {
    "no rules": [Fault("rules", words={"most": 60})],
    "unknown kind": [Fault("kind", 0, words={"kind": "party"})],
    "giant": [Fault("amount", 0, words={"most": MOST_WON})],
    "ends before it begins": [Fault("band", 0, words={"from": 10, "until": 10})],
    "overlap": [Fault("overlap", 1, words=OPEN_ORDERS | {"other": 1, "from": 99})],
    "gap between": [Fault("gap", words=OPEN_ORDERS | {"from": 100, "until": 101})],
    "gap before": [Fault("gap", words=OPEN_ORDERS | {"from": 0, "until": 1})],
    "gap after": [Fault("gap", words=OPEN_ORDERS | {"from": 100, "until": None})],
    "class left out": [
        Fault("gap", words={"kind": ORDER, "data_class": "sensitive", "from": 0, "until": None})
    ],
    "kind left out": [Fault("gap", words=OPEN_ORDERS | {"from": 0, "until": None})],
    "nobody named": [Fault("step_empty", 0, 0)],
    "too many needed": [Fault("needed", 0, 0, {"most": 5})],
    "two owners of one": [Fault("nobody", 0, 0, {"needed": 2, "there": 1})],
    "a role that may not": [Fault("role", 0, 0)],
    "somebody unknown": [Fault("member", 0, 0, {"member": "mem_x"})],
    "somebody twice": [Fault("named", 0, 0, {"most": 20})],
    "too many steps": [Fault("steps", 0, words={"most": 5})],
    "a raise alone": [Fault("alone", 1, words={"kind": RAISE})],
}


@pytest.mark.parametrize("what", SAID)
def test_says_each_fault_once_with_its_place_and_numbers(what: str) -> None:
    assert faults(WRONG[what][0], STAFF) == SAID[what]


def test_takes_as_much_as_it_may() -> None:
    """Every bound is still right where it is reached, and wrong one further."""
    many = Staff({f"mem_{number}": "owner" for number in range(21)}, STAFF.roles)
    named = tuple(sorted(many.members))
    step = Step(members=named[:20], needed=5)
    bands = [Rule(ORDER, number, number + 1, steps=(step,)) for number in range(55)]
    last = Rule(ORDER, MOST_WON, steps=(step,) * 5)
    most = orders(*bands, Rule(ORDER, 55, MOST_WON), last)

    assert len(most.rules) == 60 and faults(most, many) == []
    assert [one.code for one in faults(Matrix((*most.rules, last)), many)] == ["rules"]
    crowd = orders(Rule(ORDER, steps=(Step(members=named),)))
    assert [one.code for one in faults(crowd, many)] == ["named"]


def test_rules_may_stand_in_any_order() -> None:
    assert faults(orders(Rule(ORDER, 100), Rule(ORDER, 0, 100)), STAFF) == []


def test_who_is_named_and_has_the_role_counts_once() -> None:
    step = Step(("owner",), ("mem_a",), needed=2)

    assert STAFF.who_fit(Step(("owner",), ("mem_c", "mem_x"))) == {"mem_a", "mem_c"}
    assert faults(orders(Rule(ORDER, steps=(step,))), STAFF) == [
        Fault("nobody", 0, 0, {"needed": 2, "there": 1})
    ]


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    """Right ones and wrong ones: bounds are few, so that bands meet, overlap and miss."""
    bound = st.sampled_from([0, 1, 100, 101, 5_000_000])
    step = st.builds(
        Step,
        roles=st.sampled_from([("owner",), ("owner", "budget_officer"), ("budget_officer",)]),
        needed=st.just(1),
    )
    rules = []
    for kind in KINDS:
        cuts = sorted(draw(st.sets(bound, min_size=1, max_size=3)) | {0})
        for group in draw(st.sampled_from([(CLASSES,), (CLASSES[:1], CLASSES[1:]), ((),)])):
            for start, end in zip(cuts, [*cuts[1:], None], strict=True):
                steps = tuple(draw(st.lists(step, min_size=1, max_size=2)))
                rules.append(Rule(kind, start, end, tuple(group), steps))
    if draw(st.booleans()):
        number = draw(st.integers(0, len(rules) - 1))
        rules[number] = replace(rules[number], from_won=draw(bound), until_won=draw(bound))
    return Matrix(tuple(rules))


@settings(max_examples=500, deadline=None)
@given(
    matrix=matrices(),
    kind=st.sampled_from(KINDS),
    data_class=st.sampled_from(CLASSES),
    amount=st.one_of(
        st.sampled_from([0, 1, 99, 100, 101, 4_999_999, 5_000_000]), st.integers(0, MOST_WON)
    ),
)
def test_what_is_right_gives_exactly_one_chain(
    matrix: Matrix, kind: str, data_class: str, amount: int
) -> None:
    if faults(matrix, STAFF):
        return

    assert sum(rule.covers(kind, amount, data_class) for rule in matrix.rules) == 1
    assert matrix.rule_for(kind, amount, data_class).steps


@settings(max_examples=100, deadline=None)
@given(matrix=matrices())
def test_reads_back_what_it_wrote(matrix: Matrix) -> None:
    assert from_json(to_json(matrix)) == matrix


def rule(**changes: Any) -> list[dict[str, Any]]:
    return [{"kind": "order", "from_won": 0} | changes]


@pytest.mark.parametrize(
    "rows",
    [
        "text",
        7,
        [1],
        rule(kind=1),
        rule(from_won=1.5),
        rule(from_won="100"),
        rule(from_won=True),
        rule(until_won=0.1),
        rule(data_classes="open"),
        rule(steps={}),
        rule(steps=[{"roles": [1]}]),
        rule(steps=[{"needed": "1"}]),
        rule(steps=[{"people": []}]),
        rule(surprise=1),
        rule() * 61,
        rule(steps=[{"roles": ["owner"]}] * 6),
        rule(steps=[{"members": ["mem_a"] * 21}]),
        {"kind": "order"},
    ],
)
def test_reads_nothing_else(rows: Any) -> None:
    with pytest.raises(BadMatrix):
        from_json(rows)


def test_reads_as_much_as_it_may() -> None:
    most = rule(steps=[{"roles": ["owner"], "members": ["mem_a"] * 20}] * 5) * 60

    assert len(from_json(most).rules) == 60
    assert from_json([{"kind": "order", "steps": [{}]}]) == Matrix((Rule(ORDER, steps=(Step(),)),))


@pytest.mark.parametrize("rules", [(), (Rule(ORDER), Rule(ORDER, 5))])
def test_says_of_a_matrix_with_faults_that_it_gives_no_one_chain(rules: tuple[Rule, ...]) -> None:
    with pytest.raises(LookupError):
        Matrix(rules).rule_for(ORDER, 10, "open")
