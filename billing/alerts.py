"""People are told when a budget is nearly used and when it is: once a month for each step."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing import budgets
from billing.models import Budget, BudgetAlert, BudgetScope
from portal.admission.calls import AdmissionUnavailable, BudgetStanding
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import notices, rls
from tenants.models import ApiKey, Project

STEPS = (80, 100)  # percent of the limit


def sweep(*, now: datetime) -> int:
    """Look at every budget; how many were told of. Valkey is asked outside any transaction; while
    it is away nothing is told, and the next sweep looks again."""
    month = Month.of(now)
    with rls.everyone(because="sweep: budgets of all organizations"):
        rows = list(Budget.objects.filter(limit_won__gt=0).select_related("organization"))
        alerts = BudgetAlert.objects.filter(month=str(month))
        done = set(alerts.filter(percent=STEPS[-1]).values_list("budget_id", flat=True))
    told = 0
    for budget in rows:
        if budget.pk in done:
            continue
        try:
            found = budgets.admission().standing(
                budget.organization.code, subject=budget.subject, month=str(month)
            )
        except AdmissionUnavailable:
            break
        told += found is not None and _reached(budget, found, month, now)
    return told


def _reached(budget: Budget, found: BudgetStanding, month: Month, now: datetime) -> bool:
    """Tell of the highest step that is reached, if nobody was told of it yet."""
    used = found.spent + found.committed
    steps = [step for step in STEPS if used * 100 >= found.limit * step]
    if not steps:
        return False
    with rls.everyone(because="a sweep tells the members of an organization"), transaction.atomic():
        locked = Budget.objects.select_for_update().get(pk=budget.pk)
        known = BudgetAlert.objects.filter(budget=locked, month=str(month))
        if known.filter(percent=steps[-1]).exists():
            return False
        new = set(steps) - set(known.values_list("percent", flat=True))
        BudgetAlert.objects.bulk_create(
            BudgetAlert(
                organization=budget.organization,
                budget=budget,
                month=str(month),
                percent=step,
                at=now,
            )
            for step in sorted(new)
        )
        _tell(budget, used, found.limit, steps[-1], month, now)
    return True


def _tell(budget: Budget, used: int, limit: int, step: int, month: Month, now: datetime) -> None:
    project, name = _subject(budget)
    notices.tell(
        "budget.reached",
        organization=budget.organization,
        to=notices.holders(budget.organization, "budgets.change", project=project),
        now=now,
        place="/budget/",
        project=project,
        percent=f"{step}%",
        used=f"{used // MICRO:,}",
        limit=f"{limit // MICRO:,}",
        name=name,
        month=str(month),
    )


def _subject(budget: Budget) -> tuple[str, str]:
    """The project that the budget concerns (empty: all), and the name of what it is for."""
    if budget.scope == BudgetScope.KEY:
        key = ApiKey.objects.select_related("project").get(public_id=budget.subject)
        return key.project.public_id, key.name
    if budget.scope == BudgetScope.PROJECT:
        return budget.subject, Project.objects.get(public_id=budget.subject).name
    return "", budget.organization.name
