"""Who signs what: rules that give every request exactly one chain of steps. Pure.

A rule holds for one kind of request, for amounts from ``from_won`` up to, but without,
``until_won``, and for some data classes. A chain without steps needs nobody's approval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ORDER = "order"
RAISE = "budget.raise"
TRANSFER = "fiscal.transfer"
SITES = "project.sites"
KINDS = (ORDER, RAISE, TRANSFER, SITES)
ALWAYS = frozenset({RAISE, TRANSFER})  # never done by one person alone

CLASSES = ("open", "sensitive", "confidential", "medical")
MOST_WON = 10**15
MOST_RULES, MOST_STEPS, MOST_NEEDED, MOST_NAMED = 60, 5, 5, 20


class BadMatrix(ValueError):
    """The text is no matrix: something is missing, unknown or of the wrong type."""


@dataclass(frozen=True, slots=True)
class Step:
    """``needed`` people out of those with one of the roles and of the named members (``mem_…``)."""

    roles: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    needed: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """``until_won`` None: without end. No data class: all of them."""

    kind: str
    from_won: int = 0
    until_won: int | None = None
    data_classes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def covers(self, kind: str, amount_won: int, data_class: str) -> bool:
        return (
            self.kind == kind
            and data_class in (self.data_classes or CLASSES)
            and self.from_won <= amount_won
            and (self.until_won is None or amount_won < self.until_won)
        )


@dataclass(frozen=True, slots=True)
class Matrix:
    rules: tuple[Rule, ...] = ()

    def rule_for(self, kind: str, amount_won: int, data_class: str) -> Rule:
        """The one rule that holds. ``LookupError`` where none or several do: such a matrix does
        not pass ``checking.faults``."""
        found = [one for one in self.rules if one.covers(kind, amount_won, data_class)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} rules for {kind}, {amount_won}, {data_class}")
        return found[0]


def to_json(matrix: Matrix) -> list[dict[str, Any]]:
    """As it is kept in a row and sent by the API."""
    return [
        {
            "kind": rule.kind,
            "from_won": rule.from_won,
            "until_won": rule.until_won,
            "data_classes": list(rule.data_classes),
            "steps": [
                {"roles": list(one.roles), "members": list(one.members), "needed": one.needed}
                for one in rule.steps
            ],
        }
        for rule in matrix.rules
    ]


def from_json(rows: Any) -> Matrix:
    """The matrix of ``to_json``. ``BadMatrix`` for anything of another shape."""
    if not isinstance(rows, list) or len(rows) > MOST_RULES:
        raise BadMatrix("rules")
    return Matrix(tuple(_rule(row) for row in rows))


def _rule(row: Any) -> Rule:
    fields = _fields(row, {"kind", "from_won", "until_won", "data_classes", "steps"})
    steps = fields.get("steps", [])
    if not isinstance(steps, list) or len(steps) > MOST_STEPS:
        raise BadMatrix("steps")
    until = fields.get("until_won")
    return Rule(
        kind=_text(fields.get("kind")),
        from_won=_whole(fields.get("from_won", 0)),
        until_won=None if until is None else _whole(until),
        data_classes=_texts(fields.get("data_classes", [])),
        steps=tuple(_step(one) for one in steps),
    )


def _step(row: Any) -> Step:
    fields = _fields(row, {"roles", "members", "needed"})
    return Step(
        roles=_texts(fields.get("roles", [])),
        members=_texts(fields.get("members", [])),
        needed=_whole(fields.get("needed", 1)),
    )


def _fields(row: Any, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(row, dict) or set(row) - known:
        raise BadMatrix("fields")
    return row


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadMatrix("amounts")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadMatrix("texts")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_NAMED:
        raise BadMatrix("lists")
    return tuple(_text(one) for one in value)
