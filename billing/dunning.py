"""When an unpaid invoice is spoken of, and what follows. Pure.

The dates follow from the due date alone, so that they can be shown beforehand: reminders some days
before and after it, then the restriction, which stops new spending until everything that is
overdue is paid. A step that was missed (nobody swept for days) is not made up for: only the last
one that is due is taken. Days are business days in Korea.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

DAYS_OF_YEAR = 365


@dataclass(frozen=True, slots=True)
class Step:
    """``days`` after the due date; negative before it."""

    days: int
    restricts: bool = False

    @property
    def name(self) -> str:
        """As kept in rows: ``before-3``, ``after-7``, ``restrict-30``."""
        if self.restricts:
            return f"restrict-{self.days}"
        return f"before-{-self.days}" if self.days < 0 else f"after-{self.days}"

    def on(self, due: date) -> date:
        """The day of this step for an invoice."""
        return due + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The operator's steps, in order. No restriction if ``restrict_after`` is ``None``."""

    reminders: tuple[int, ...] = (-3, 1, 7, 14)
    restrict_after: int | None = 30

    @property
    def steps(self) -> tuple[Step, ...]:
        found = [Step(days) for days in sorted(set(self.reminders))]
        if self.restrict_after is not None:
            found.append(Step(self.restrict_after, restricts=True))
        return tuple(sorted(found, key=lambda step: step.days))

    def dates(self, due: date) -> list[tuple[Step, date]]:
        """What will happen if the invoice stays unpaid."""
        return [(step, step.on(due)) for step in self.steps]

    def next_step(self, due: date, today: date, taken: Collection[str]) -> Step | None:
        """The step to take now: the last one whose day has come, unless it was taken."""
        come = [step for step in self.steps if step.on(due) <= today]
        if not come or come[-1].name in taken:
            return None
        return come[-1]

    def restricts(self, due: date, today: date) -> bool:
        """Whether an unpaid invoice stops new spending today."""
        return self.restrict_after is not None and today >= due + timedelta(
            days=self.restrict_after
        )


def days_late(due: date, first: date, until: date) -> int:
    """Days from ``first`` until before ``until`` on which an invoice was overdue. The due date
    itself is in time."""
    begins = max(first, due + timedelta(days=1))
    return max(0, (until - begins).days)


def late_interest(open_won: int, days: int, percent_a_year: Decimal) -> Decimal:
    """Exact won of simple interest, to six decimals of a micro-won: won × days / 365 × rate."""
    exact = Decimal(open_won) * days * percent_a_year / (100 * DAYS_OF_YEAR)
    return round(exact, 12)
