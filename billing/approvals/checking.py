"""What is wrong with a matrix: bands that overlap or leave gaps, steps that nobody can fill. Pure.

A matrix without faults gives exactly one chain for each kind, data class and amount from ₩0 on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from billing.approvals.matrix import (
    ALWAYS,
    CLASSES,
    KINDS,
    MOST_NAMED,
    MOST_NEEDED,
    MOST_RULES,
    MOST_STEPS,
    MOST_WON,
    Matrix,
    Rule,
    Step,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """``rule`` and ``step`` count from 0; None: it concerns the whole matrix, or rule."""

    code: str
    rule: int | None = None
    step: int | None = None
    words: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Staff:
    """Members who may decide approvals: membership id → role, and the roles that can."""

    members: Mapping[str, str]
    roles: frozenset[str]

    def who_fit(self, step: Step) -> set[str]:
        """The members whom a step names or whose role it names."""
        by_role = {one for one, role in self.members.items() if role in step.roles}
        return by_role | (set(step.members) & set(self.members))


def faults(matrix: Matrix, staff: Staff) -> list[Fault]:
    """All that is wrong, in the order of the rules; bands are looked at once the rules are
    right by themselves."""
    if not matrix.rules or len(matrix.rules) > MOST_RULES:
        return [Fault("rules", words={"most": MOST_RULES})]
    found = [one for number, rule in enumerate(matrix.rules) for one in _rule(number, rule, staff)]
    if any(one.code in _SHAPE for one in found):
        return found
    return found + list(_bands(matrix))


_SHAPE = {"kind", "data_class", "amount", "band"}


def _rule(number: int, rule: Rule, staff: Staff) -> Iterator[Fault]:
    if rule.kind not in KINDS:
        yield Fault("kind", number, words={"kind": rule.kind})
    if set(rule.data_classes) - set(CLASSES) or _repeats(rule.data_classes):
        yield Fault("data_class", number)
    if not _is_amount(rule.from_won) or not (rule.until_won is None or _is_amount(rule.until_won)):
        yield Fault("amount", number, words={"most": MOST_WON})
    elif rule.until_won is not None and rule.until_won <= rule.from_won:
        yield Fault("band", number, words={"from": rule.from_won, "until": rule.until_won})
    if rule.kind in ALWAYS and not rule.steps:
        yield Fault("alone", number, words={"kind": rule.kind})
    if len(rule.steps) > MOST_STEPS:
        yield Fault("steps", number, words={"most": MOST_STEPS})
    for place, step in enumerate(rule.steps):
        yield from _step(number, place, step, staff)


def _step(number: int, place: int, step: Step, staff: Staff) -> Iterator[Fault]:
    if not step.roles and not step.members:
        yield Fault("step_empty", number, place)
        return
    if not 1 <= step.needed <= MOST_NEEDED:
        yield Fault("needed", number, place, {"most": MOST_NEEDED})
        return
    if set(step.roles) - staff.roles or _repeats(step.roles):
        yield Fault("role", number, place)
    elif unknown := sorted(set(step.members) - set(staff.members)):
        yield Fault("member", number, place, {"member": unknown[0]})
    elif _repeats(step.members) or len(step.members) > MOST_NAMED:
        yield Fault("named", number, place, {"most": MOST_NAMED})
    elif len(staff.who_fit(step)) < step.needed:
        there = len(staff.who_fit(step))
        yield Fault("nobody", number, place, {"needed": step.needed, "there": there})


def _is_amount(value: int) -> bool:
    return 0 <= value <= MOST_WON


def _repeats(values: Iterable[str]) -> bool:
    listed = list(values)
    return len(listed) != len(set(listed))


def _bands(matrix: Matrix) -> Iterator[Fault]:
    """Each fault once, however many data classes have it."""
    said: set[tuple[str, object, object]] = set()
    for kind in KINDS:
        for data_class in CLASSES:
            for one in _line(matrix, kind, data_class):
                plain = {n: v for n, v in one.words.items() if n != "data_class"}
                what = (one.code, one.rule, tuple(sorted(plain.items(), key=str)))
                if what not in said:
                    said.add(what)
                    yield one


def _line(matrix: Matrix, kind: str, data_class: str) -> Iterator[Fault]:
    """The bands of one kind and data class, laid on the line of amounts."""
    bands = sorted(
        (
            (rule.from_won, number, rule)
            for number, rule in enumerate(matrix.rules)
            if rule.kind == kind and data_class in (rule.data_classes or CLASSES)
        ),
        key=lambda one: one[:2],
    )
    where = {"kind": kind, "data_class": data_class}
    if not bands:
        yield Fault("gap", words=where | {"from": 0, "until": None})
        return
    if bands[0][0] > 0:
        yield Fault("gap", words=where | {"from": 0, "until": bands[0][0]})
    for (_, first, before), (start, second, _after) in pairwise(bands):
        if before.until_won is None or before.until_won > start:
            yield Fault("overlap", second, words=where | {"other": first + 1, "from": start})
        elif before.until_won < start:
            yield Fault("gap", words=where | {"from": before.until_won, "until": start})
    last = bands[-1][2].until_won
    if last is not None:
        yield Fault("gap", words=where | {"from": last, "until": None})
