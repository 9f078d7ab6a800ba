"""What the books say of a budget: sums of the ledger's days and of the commitments."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime

from django.db.models import Model, QuerySet, Sum

from billing.models import Budget, BudgetPeriod, BudgetScope, Commitment
from portal.lib.periods import Month, Year
from portal.usage.models import DaySpend


def counters_from_ledger(budget: Budget, month: Month) -> tuple[int, int]:
    """(spent, committed) in micro-won of the period of a budget in which a month lies, as the
    ledger's days and the commitments say."""
    first, end = dates_of(budget, month)
    days = DaySpend.objects.filter(organization_id=budget.organization_id, day__gte=first)
    commitments = Commitment.objects.filter(
        organization_id=budget.organization_id, month__gte=str(Month(first.year, first.month))
    )
    if end is not None:
        days = days.filter(day__lt=end)
        commitments = commitments.filter(month__lt=str(Month(end.year, end.month)))
    spent = of_subject(days, budget).aggregate(total=Sum("settled_micro"))["total"] or 0
    if budget.scope == BudgetScope.KEY:
        return spent, 0
    committed = of_subject(commitments, budget).aggregate(total=Sum("amount_micro"))["total"] or 0
    return spent, committed


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
