"""What the books say of a budget: sums of the ledger's days and of the commitments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db.models import Model, QuerySet, Sum

from billing.models import Budget, BudgetPeriod, BudgetScope, Commitment
from portal.lib.periods import Month, Year
from portal.usage.models import DaySpend


@dataclass(frozen=True, slots=True)
class _Sums:
    """Micro-won of one organization in one period: by project and key, and by project."""

    spent: Mapping[tuple[str, str], int]
    committed: Mapping[str, int]

    def of(self, budget: Budget) -> tuple[int, int]:
        """Of what a budget counts, as ``of_subject`` says it."""
        if budget.scope == BudgetScope.KEY:
            return sum(won for (_, key), won in self.spent.items() if key == budget.subject), 0
        covers: Collection[str] = budget.covers if budget.scope == BudgetScope.LINE else ()
        if budget.scope == BudgetScope.PROJECT:
            covers = (budget.subject,)
        return (
            sum(won for (one, _), won in self.spent.items() if not covers or one in covers),
            sum(won for one, won in self.committed.items() if not covers or one in covers),
        )


def counters_from_ledger(budget: Budget, month: Month) -> tuple[int, int]:
    """(spent, committed) in micro-won of the period of a budget in which a month lies, as the
    ledger's days and the commitments say."""
    return counters_of([budget], month)[0]


def counters_of(budgets: Sequence[Budget], month: Month) -> list[tuple[int, int]]:
    """The same of many budgets, in their order: two questions for each organization and period,
    however many budgets it has."""
    places = [(one.organization_id, *dates_of(one, month)) for one in budgets]
    sums = {place: _summed(*place) for place in dict.fromkeys(places)}
    return [sums[place].of(one) for place, one in zip(places, budgets, strict=True)]


def _summed(organization: int, first: date, end: date | None) -> _Sums:
    days = DaySpend.objects.filter(organization_id=organization, day__gte=first)
    commitments = Commitment.objects.filter(
        organization_id=organization, month__gte=str(Month(first.year, first.month))
    )
    if end is not None:
        days = days.filter(day__lt=end)
        commitments = commitments.filter(month__lt=str(Month(end.year, end.month)))
    by_key = days.order_by().values_list("project", "key").annotate(Sum("settled_micro"))
    by_project = commitments.order_by().values_list("project").annotate(Sum("amount_micro"))
    return _Sums({(project, key): won for project, key, won in by_key}, dict(by_project))


def dates_of(budget: Budget, month: Month) -> tuple[date, date | None]:
    """The business days of a budget's period in which a month lies; the second is without."""
    if budget.starts_on is not None:
        return budget.starts_on, None  # what comes after its end is counted, and refused
    if budget.kind == "year":
        year = Year(budget.year or month.year)
        return year.first_date, year.next.first_date
    return month.first_date, month.next.first_date


def of_subject[M: Model](rows: QuerySet[M], budget: Budget) -> QuerySet[M]:
    """Those rows of an organization that a budget counts."""
    if budget.scope == BudgetScope.PROJECT:
        return rows.filter(project=budget.subject)
    if budget.scope == BudgetScope.KEY:
        return rows.filter(key=budget.subject)
    if budget.scope == BudgetScope.LINE and budget.covers:
        return rows.filter(project__in=budget.covers)
    return rows


def counted_since(organizations: Collection[int]) -> dict[int, Month]:
    """By organization: the first month whose commitments count in a budget of this or last year or
    in one without an end. Organizations whose budgets all count by month are left out."""
    found: dict[int, Month] = {}
    rows = Budget.objects.current().exclude(period=BudgetPeriod.MONTH)
    for row in rows.filter(organization__in=organizations):
        year = row.year or Year.of(datetime.now(UTC)).year - 1
        first = row.starts_on or Year(year).first_date
        month = Month(first.year, first.month)
        found[row.organization_id] = min(month, found.get(row.organization_id, month))
    return found
