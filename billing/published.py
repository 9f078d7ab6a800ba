"""What admission is told of budgets: a limit for each name, and what it will be later. Pure.

Limits of years are told a year ahead, and a raise or a budget that ends by itself is told with its
end, so that a turn of the year or the end of a raise needs nobody who is awake.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from portal.admission import chain
from portal.lib.money import MAX_BUDGET_WON, MICRO
from portal.lib.periods import Year, day_period

if TYPE_CHECKING:
    from billing.models import Budget, BudgetRaise

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Limit:
    """As ``calls.set_limit`` takes it. ``budget`` is ``None`` for a year that nobody has set: hard
    nothing after the years that have one, no limit before them."""

    name: str
    micro: int
    hard: bool
    number: int
    later: tuple[tuple[int, int], ...] = ()
    budget: Budget | None = None

    @property
    def mark(self) -> bytes:
        """What has to be told again if it changes."""
        return f"{self.micro}|{self.hard}|{self.number}|{self.later}".encode()


def won_at(budget: Budget, raises: Sequence[BudgetRaise], moment: datetime) -> int:
    """The limit at a moment: with the raises that last until then, and nothing after its end."""
    if budget.ends_on is not None and moment >= day_period(budget.ends_on).start:
        return 0
    extra = sum(one.extra_won for one in raises if one.until_at and moment < one.until_at)
    return min(MAX_BUDGET_WON, budget.limit_won + extra)


def limit(
    budget: Budget, raises: Sequence[BudgetRaise], *, now: datetime, year: int | None = None
) -> Limit:
    """One budget's limit; ``year`` says of which year a budget for every year is told."""
    turns = {one.until_at for one in raises if one.until_at and one.until_at > now}
    if budget.ends_on is not None and (end := day_period(budget.ends_on).start) > now:
        turns.add(end)
    later = tuple((_ms(at), won_at(budget, raises, at) * MICRO) for at in sorted(turns))
    return Limit(
        name=chain.limit_name(budget.name, budget.year or year or Year.of(now).year),
        micro=won_at(budget, raises, now) * MICRO,
        hard=budget.hard,
        number=budget.number,
        later=later,
        budget=budget,
    )


def _ms(moment: datetime) -> int:
    return -(-(moment - EPOCH) // timedelta(milliseconds=1))


def limits(
    rows: Iterable[Budget], raises: dict[int, list[BudgetRaise]], *, now: datetime
) -> list[Limit]:
    """Of all rows that are current; years of each subject: the last, this one and the next."""
    found = []
    yearly: dict[str, list[Budget]] = defaultdict(list)
    for row in rows:
        if row.kind == "year":
            yearly[row.subject].append(row)
        else:
            found.append(limit(row, raises.get(row.pk, ()), now=now))
    for of_subject in yearly.values():
        found += _years(of_subject, raises, now)
    return found


def _years(
    rows: Sequence[Budget], raises: dict[int, list[BudgetRaise]], now: datetime
) -> list[Limit]:
    """A year's own budget before the one for every year. Between and after the years that are set
    nothing may be spent; before the first one, nobody has set anything yet."""
    every = next((one for one in rows if one.year is None), None)
    own = {one.year: one for one in rows if one.year is not None}
    this, found = Year.of(now), []
    for year in (this.previous, this, this.next):
        row = own.get(year.year, every)
        if row is not None:
            found.append(limit(row, raises.get(row.pk, ()), now=now, year=year.year))
        elif own:
            name = chain.limit_name(rows[0].name, year.year)
            number = max(one.number for one in rows)
            found.append(Limit(name, 0, year.year > min(own), number))
    return found
