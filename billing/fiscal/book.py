"""The rules of a fiscal year's book: which movement may be written, and why one is refused. Pure.

What movements are and what they add up to stands in ``movements``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from enum import StrEnum

from billing.fiscal import calendar
from billing.fiscal.calendar import QUARTERS, Phase
from billing.fiscal.movements import (
    ALLOTTING,
    APPROPRIATING,
    CLOSING,
    COMMITTING,
    SPENDING,
    Columns,
    CommitmentSums,
    Kind,
    LineBook,
    Movement,
)

MOST_WON = 1_000_000_000_000_000  # 1,000조: no line of any budget is larger; fits any counter

# What may still be written when the year is over: payments of what was committed, and less of it.
SETTLING = SPENDING | {Kind.CHANGE, Kind.CANCELLATION}

ALLOWED: dict[Phase, frozenset[Kind]] = {
    Phase.PLANNED: frozenset({Kind.APPROPRIATION, Kind.CARRIED_IN}) | ALLOTTING,
    Phase.OPEN: (APPROPRIATING - {Kind.APPROPRIATION}) | ALLOTTING | COMMITTING | SPENDING,
    Phase.SETTLING: SETTLING | CLOSING,
    Phase.OVER: CLOSING,
    Phase.CLOSED: frozenset(),
}


class Rule(StrEnum):
    """Why a movement is refused."""

    AMOUNT = "amount"
    OUTSIDE_YEAR = "outside_year"
    IN_FUTURE = "in_future"
    PHASE = "phase"
    QUARTER = "quarter"
    QUARTER_EMPTY = "quarter_empty"
    BELOW_ALLOTTED = "below_allotted"
    ABOVE_CURRENT = "above_current"
    BELOW_COMMITTED = "below_committed"
    ABOVE_ALLOTMENT = "above_allotment"
    BELOW_SPENT = "below_spent"
    ABOVE_COMMITMENT = "above_commitment"
    ABOVE_SPENT = "above_spent"
    NO_COMMITMENT = "no_commitment"
    SPENT_ALREADY = "spent_already"
    NOT_WHOLE = "not_whole"
    NO_RAISE_AFTER_YEAR = "no_raise_after_year"
    SAME_LINE = "same_line"
    ABOVE_UNALLOTTED = "above_unallotted"


class Broken(Exception):
    """A rule says no; nothing was changed. ``numbers`` are won, days or years by name."""

    def __init__(self, rule: Rule, **numbers: int | str | date) -> None:
        super().__init__(rule)
        self.rule = rule
        self.numbers = numbers

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.numbers.items())
        return f"{self.rule}: {facts}"


class Book:
    """All lines of one fiscal year. ``post`` refuses what breaks a rule and changes nothing then.

    Not kept anywhere: it is made out of the journal, asked, and thrown away.
    """

    def __init__(self, year: int, movements: Iterable[Movement] = ()) -> None:
        self.year = year
        self.lines: dict[str, LineBook] = {}
        for movement in movements:
            self.line(movement.line).add(movement)

    def line(self, name: str) -> LineBook:
        return self.lines.setdefault(name, LineBook())

    def columns(self, name: str, on: date) -> Columns:
        return self.line(name).columns(self.year, on)

    def post(self, *movements: Movement, phase: Phase, today: date) -> None:
        """Check each and add it; all of them, or ``Broken`` and none."""
        posted: list[Movement] = []
        try:
            for movement in movements:
                self._check(movement, phase, today)
                self.line(movement.line).add(movement)
                posted.append(movement)
        except Broken:
            for movement in posted:
                self.line(movement.line).add(replace(movement, won=-movement.won))
            raise

    def _check(self, movement: Movement, phase: Phase, today: date) -> None:
        _check_amount(movement)
        _check_phase(movement, phase, self.year)
        _check_day(movement, self.year, today)
        line = self.line(movement.line)
        if movement.kind in APPROPRIATING:
            _check_appropriation(movement, line)
        elif movement.kind in ALLOTTING:
            _check_allotment(movement, line, self.year, today)
        elif movement.kind in COMMITTING:
            _check_commitment(movement, line, self.year)
            _check_raise(movement, phase, self.year)
        elif movement.kind in SPENDING:
            _check_spending(movement, line)
        else:
            _check_closing(movement, line)


_MAY_BE_NEGATIVE = frozenset({Kind.APPROPRIATION, Kind.SUPPLEMENT, Kind.CHANGE})
_ALWAYS_NEGATIVE = frozenset({Kind.TRANSFER_OUT, Kind.CANCELLATION, Kind.REFUND})


def check_amount(won: int) -> None:
    """``Broken`` unless it is whole won from 1 to the most that a line can have."""
    if not 1 <= won <= MOST_WON:
        raise Broken(Rule.AMOUNT, won=won, most=MOST_WON)


def _check_amount(movement: Movement) -> None:
    won = -movement.won if movement.kind in _ALWAYS_NEGATIVE else movement.won
    check_amount(abs(won) if movement.kind in _MAY_BE_NEGATIVE else won)


def _check_phase(movement: Movement, phase: Phase, year: int) -> None:
    late = movement.used and phase == Phase.SETTLING and movement.kind in COMMITTING
    if movement.kind not in ALLOWED[phase] and not late:
        raise Broken(Rule.PHASE, year=year, phase=str(phase), kind=str(movement.kind))


def _check_raise(movement: Movement, phase: Phase, year: int) -> None:
    if phase != Phase.OPEN and movement.won > 0 and not movement.used:
        raise Broken(Rule.NO_RAISE_AFTER_YEAR, year=year, last=calendar.last_day(year))


def _check_day(movement: Movement, year: int, today: date) -> None:
    settling = movement.kind in SETTLING | CLOSING
    first = calendar.first_day(year)
    last = calendar.last_payment_day(year) if settling else calendar.last_day(year)
    if movement.kind in CLOSING:
        last = max(last, today)
    if not first <= movement.on <= last:
        raise Broken(Rule.OUTSIDE_YEAR, day=movement.on, year=year, first=first, last=last)
    planned = movement.kind in ALLOWED[Phase.PLANNED]  # a plan is dated before its year begins
    if movement.on > max(today, first if planned else today):
        raise Broken(Rule.IN_FUTURE, day=movement.on, today=today)


def _check_appropriation(movement: Movement, line: LineBook) -> None:
    after, allotted = line.current + movement.won, line.allotted_in_all
    if after > MOST_WON:
        raise Broken(Rule.AMOUNT, won=after, most=MOST_WON)
    if movement.won < 0 and after < allotted:
        free = line.unallotted
        rule = Rule.ABOVE_UNALLOTTED if movement.kind == Kind.TRANSFER_OUT else Rule.BELOW_ALLOTTED
        raise Broken(rule, won=-movement.won, free=free, over=-movement.won - free)


def _check_allotment(movement: Movement, line: LineBook, year: int, today: date) -> None:
    won, source, target = movement.won, movement.from_quarter, movement.quarter
    known = {0, *QUARTERS}
    if source == target or source not in known or target not in known:
        raise Broken(Rule.QUARTER, source=source, target=target)
    if movement.kind == Kind.ALLOTMENT and source:
        raise Broken(Rule.QUARTER, source=source, target=target)
    if not source and won > (free := line.unallotted):
        raise Broken(Rule.ABOVE_CURRENT, won=won, free=free, over=won - free)
    if source and won > line.quarters[source - 1]:
        there = line.quarters[source - 1]
        raise Broken(Rule.QUARTER_EMPTY, won=won, quarter=source, there=there, over=won - there)
    begun = [quarter for quarter in QUARTERS if calendar.first_day(year, quarter) <= today]
    taken = won if source in begun and target not in begun else 0
    left = line.allotted(year, today) - line.committed
    if taken > left:
        raise Broken(Rule.BELOW_COMMITTED, won=won, left=left, over=taken - left)


def _check_commitment(movement: Movement, line: LineBook, year: int) -> None:
    known = line.commitments.get(movement.commitment)
    if not movement.commitment or (movement.kind != Kind.COMMITMENT and known is None):
        raise Broken(Rule.NO_COMMITMENT, number=movement.commitment)
    if movement.won > 0:
        left = line.allotted(year, movement.on) - line.committed
        if movement.won > left:
            over = movement.won - left
            raise Broken(Rule.ABOVE_ALLOTMENT, won=movement.won, left=left, over=over)
    elif known is not None:
        _check_reduction(movement, known)


def _check_reduction(movement: Movement, known: CommitmentSums) -> None:
    if movement.kind == Kind.CANCELLATION and known.spent:
        raise Broken(Rule.SPENT_ALREADY, spent=known.spent, won=known.won)
    if movement.kind == Kind.CANCELLATION and known.won != -movement.won:
        raise Broken(Rule.NOT_WHOLE, won=known.won)
    if known.won + movement.won < known.spent:
        raise Broken(
            Rule.BELOW_SPENT,
            won=known.won + movement.won,
            spent=known.spent,
            over=known.spent - known.won - movement.won,
        )


def _check_spending(movement: Movement, line: LineBook) -> None:
    known = line.commitments.get(movement.commitment)
    if known is None or not movement.commitment:
        raise Broken(Rule.NO_COMMITMENT, number=movement.commitment)
    if movement.won > known.outstanding:
        raise Broken(
            Rule.ABOVE_COMMITMENT,
            won=movement.won,
            committed=known.won,
            spent=known.spent,
            left=known.outstanding,
            over=movement.won - known.outstanding,
        )
    if movement.won > line.rest:  # what is carried over or has lapsed is not paid any more
        raise Broken(Rule.ABOVE_CURRENT, won=movement.won, free=line.rest, over=movement.won)
    if known.spent + movement.won < 0:
        raise Broken(Rule.ABOVE_SPENT, won=-movement.won, spent=known.spent)


def _check_closing(movement: Movement, line: LineBook) -> None:
    if movement.won > line.rest:
        over = movement.won - line.rest
        raise Broken(Rule.ABOVE_CURRENT, won=movement.won, free=line.rest, over=over)


def transfer(source: str, target: str, won: int, on: date) -> tuple[Movement, Movement]:
    """전용: out of one line into another. Only what is not allotted can go."""
    if source == target:
        raise Broken(Rule.SAME_LINE, won=won)
    check_amount(won)
    return (
        Movement(source, Kind.TRANSFER_OUT, -won, on),
        Movement(target, Kind.TRANSFER_IN, won, on),
    )


_OPPOSITES = {
    Kind.APPROPRIATION: Kind.APPROPRIATION,  # while the year is planned
    Kind.SUPPLEMENT: Kind.SUPPLEMENT,
    Kind.ALLOTMENT: Kind.REALLOTMENT,
    Kind.REALLOTMENT: Kind.REALLOTMENT,
    Kind.CHANGE: Kind.CHANGE,
    Kind.EXPENDITURE: Kind.REFUND,
}


def reversible_in(phase: Phase) -> frozenset[Kind]:
    """What can be taken back by its opposite then."""
    return frozenset(kind for kind, opposite in _OPPOSITES.items() if opposite in ALLOWED[phase])


def reversal(movement: Movement) -> Movement | None:
    """The entry that takes a movement back; ``None`` where that is a deed of its own: transfers
    take two people, a commitment is cancelled, and what a close has written stays."""
    kind = _OPPOSITES.get(movement.kind)
    if kind is None:
        return None
    if kind in ALLOTTING:
        source, target = movement.quarter, movement.from_quarter
        return replace(movement, kind=kind, quarter=target, from_quarter=source)
    return replace(movement, kind=kind, won=-movement.won)
