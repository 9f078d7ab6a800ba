"""The movements of a fiscal year and what they add up to: the columns of its lines. Pure.

Amounts are whole won with VAT. Of each line (세목), on a day:

    예산현액   current   = 편성 + 추경 + 이월받음 + 전용 받음 − 전용 줌
    배정액     allotted  = allotments of the quarters that have begun on that day
    원인행위액 committed = commitments with their changes and cancellations
    지출액     spent     = expenditures less refunds
    잔액       left      = 배정액 − 원인행위액

so that 예산현액 = not allotted + 잔액 + committed and not spent + 지출액, and none of the four is
ever below zero. A closed year has 예산현액 = 지출액 + 이월액 + 불용액. Everything is a sum of
movements, whatever their order, so replaying the journal gives the same columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from billing.fiscal import calendar
from billing.fiscal.calendar import QUARTERS


class Kind(StrEnum):
    """What a movement is. ``won`` is what it adds to its column, so reductions are negative."""

    APPROPRIATION = "appropriation"  # 편성 (본예산); may be corrected while it is planned
    SUPPLEMENT = "supplement"  # 추경; may reduce
    CARRIED_IN = "carried_in"  # 이월받음
    TRANSFER_IN = "transfer_in"  # 전용 받음
    TRANSFER_OUT = "transfer_out"  # 전용 줌
    ALLOTMENT = "allotment"  # 배정
    REALLOTMENT = "reallotment"  # 재배정: to another quarter, or back
    COMMITMENT = "commitment"  # 원인행위
    CHANGE = "change"  # 원인행위 변경; may reduce
    CANCELLATION = "cancellation"  # 원인행위 취소
    EXPENDITURE = "expenditure"  # 지출
    REFUND = "refund"  # 반납(여입)
    CARRIED_OUT = "carried_out"  # 이월
    LAPSE = "lapse"  # 불용


APPROPRIATING = frozenset(
    {Kind.APPROPRIATION, Kind.SUPPLEMENT, Kind.CARRIED_IN, Kind.TRANSFER_IN, Kind.TRANSFER_OUT}
)
ALLOTTING = frozenset({Kind.ALLOTMENT, Kind.REALLOTMENT})
COMMITTING = frozenset({Kind.COMMITMENT, Kind.CHANGE, Kind.CANCELLATION})
SPENDING = frozenset({Kind.EXPENDITURE, Kind.REFUND})
CLOSING = frozenset({Kind.CARRIED_OUT, Kind.LAPSE})


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry of the journal. An allotment moves won ``from_quarter`` to ``quarter``, where 0
    is what is not allotted. ``used``: it books what was used within the year, so that it may be
    committed after the year's end as well; the request itself was the commitment."""

    line: str
    kind: Kind
    won: int
    on: date
    quarter: int = 0
    from_quarter: int = 0
    commitment: str = ""
    used: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """A line, or several together, on a day."""

    current: int = 0
    allotted: int = 0
    committed: int = 0
    spent: int = 0
    carried: int = 0
    lapsed: int = 0

    @property
    def left(self) -> int:
        """잔액: what may still be committed."""
        return self.allotted - self.committed

    @property
    def unallotted(self) -> int:
        """Appropriated and not allotted yet, also for quarters to come."""
        return self.current - self.allotted

    @property
    def outstanding(self) -> int:
        """Committed and not spent yet."""
        return self.committed - self.spent

    @property
    def unspent(self) -> int:
        """예산현액 less 지출액: what is carried over or lapses in the end."""
        return self.current - self.spent

    def __add__(self, other: Columns) -> Columns:
        return Columns(
            self.current + other.current,
            self.allotted + other.allotted,
            self.committed + other.committed,
            self.spent + other.spent,
            self.carried + other.carried,
            self.lapsed + other.lapsed,
        )


def total(columns: Iterable[Columns]) -> Columns:
    """The sum row of a board."""
    return sum(columns, Columns())


@dataclass(slots=True)
class CommitmentSums:
    """One commitment: how much it is, and how much of it is spent."""

    won: int = 0
    spent: int = 0

    @property
    def outstanding(self) -> int:
        return self.won - self.spent


@dataclass(slots=True)
class LineBook:
    """Sums of one line's movements."""

    current: int = 0
    quarters: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    commitments: dict[str, CommitmentSums] = field(default_factory=dict)
    committed: int = 0
    spent: int = 0
    carried: int = 0
    lapsed: int = 0

    def add(self, movement: Movement) -> None:
        """Sum it up; whether it is allowed was asked before."""
        kind, won = movement.kind, movement.won
        if kind in APPROPRIATING:
            self.current += won
        elif kind in ALLOTTING:
            for quarter, sign in ((movement.from_quarter, -1), (movement.quarter, 1)):
                if quarter:
                    self.quarters[quarter - 1] += sign * won
        elif kind in COMMITTING:
            self.committed += won
            self.commitments.setdefault(movement.commitment, CommitmentSums()).won += won
        elif kind in SPENDING:
            self.spent += won
            self.commitments.setdefault(movement.commitment, CommitmentSums()).spent += won
        elif kind == Kind.CARRIED_OUT:
            self.carried += won
        else:
            self.lapsed += won

    @property
    def rest(self) -> int:
        """Neither spent nor carried over nor lapsed."""
        return self.current - self.spent - self.carried - self.lapsed

    @property
    def allotted_in_all(self) -> int:
        """Of all quarters, also those to come."""
        return sum(self.quarters)

    @property
    def unallotted(self) -> int:
        """Not allotted to any quarter: what can be allotted, or transferred."""
        return self.current - self.allotted_in_all

    def allotted(self, year: int, on: date) -> int:
        """Of the quarters that have begun on a day."""
        return sum(
            self.quarters[quarter - 1]
            for quarter in QUARTERS
            if calendar.first_day(year, quarter) <= on
        )

    def columns(self, year: int, on: date) -> Columns:
        return Columns(
            self.current,
            self.allotted(year, on),
            self.committed,
            self.spent,
            self.carried,
            self.lapsed,
        )
