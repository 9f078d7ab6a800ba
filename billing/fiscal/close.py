"""What becomes of a fiscal year's rest: carried over or lapsed. Pure.

명시이월 (named): up to the amount that was named beforehand with the budget. 사고이월 (accident):
what of a commitment could not be paid for a reason that nobody could help. Both need a reason;
all else lapses (불용). What was carried over by accident is never carried again (국가재정법
제48조 제2항, 지방재정법 제50조).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.fiscal import calendar
from billing.fiscal.book import Book
from billing.fiscal.movements import Kind, Movement


class Carry(StrEnum):
    NAMED = "named"  # 명시이월
    ACCIDENT = "accident"  # 사고이월


@dataclass(frozen=True, slots=True)
class Decision:
    """That something may be carried over. ``won`` is the most; an accident's is all that is
    outstanding of its ``commitment``."""

    line: str
    kind: Carry
    won: int
    because: str
    commitment: str = ""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a decision comes to."""

    decision: Decision
    won: int


@dataclass(frozen=True, slots=True)
class LineClose:
    """예산현액 = 지출액 + 이월액 + 불용액."""

    line: str
    current: int
    spent: int
    carried: tuple[Carried, ...]

    @property
    def carried_won(self) -> int:
        return sum(one.won for one in self.carried)

    def of(self, kind: Carry) -> int:
        """Carried over in one of the two ways."""
        return sum(one.won for one in self.carried if one.decision.kind == kind)

    @property
    def lapsed_won(self) -> int:
        return self.current - self.spent - self.carried_won


def plan(book: Book, lines: Sequence[str], decisions: Iterable[Decision]) -> list[LineClose]:
    """What closing the year would do, line by line. Accidents come first: they are committed."""
    by_line: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_line.setdefault(decision.line, []).append(decision)
    return [_line(book, name, by_line.get(name, [])) for name in lines]


def _line(book: Book, name: str, decisions: list[Decision]) -> LineClose:
    line = book.line(name)
    rest = line.current - line.spent
    carried = []
    for decision in sorted(decisions, key=lambda one: one.kind != Carry.ACCIDENT):
        won = min(_most(book, decision), rest)
        if won > 0:
            carried.append(Carried(decision, won))
            rest -= won
    return LineClose(name, line.current, line.spent, tuple(carried))


def _most(book: Book, decision: Decision) -> int:
    if decision.kind == Carry.NAMED:
        return decision.won
    known = book.line(decision.line).commitments.get(decision.commitment)
    return known.outstanding if known else 0


def movements(closes: Iterable[LineClose], year: int) -> list[Movement]:
    """The entries that close the year, dated on its last day."""
    on = calendar.last_day(year)
    entries = []
    for close in closes:
        entries += [
            Movement(close.line, Kind.CARRIED_OUT, one.won, on, commitment=one.decision.commitment)
            for one in close.carried
        ]
        if close.lapsed_won > 0:
            entries.append(Movement(close.line, Kind.LAPSE, close.lapsed_won, on))
    return entries
