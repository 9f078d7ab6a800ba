"""People are told when a budget reaches one of its thresholds: once a period for each of them.

A threshold that the limit was raised away from is told again when it is reached again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from billing import budgets
from billing.models import Budget, BudgetAlert, BudgetScope
from portal.admission.calls import AdmissionUnavailable, BudgetStanding
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import notices, rls
from tenants.models import ApiKey, Project


def sweep(*, now: datetime) -> int:
    """Look at every budget; how many were told of. Valkey is asked once, outside any transaction;
    while it is away nothing is told, and the next sweep looks again."""
    month = Month.of(now)
    with rls.everyone(because="sweep: budgets of all organizations"):
        found = Budget.objects.current().filter(limit_won__gt=0).select_related("organization")
        rows = [one for one in found if _counts(one, now)]
    try:
        standings = budgets.admission().standings_of(
            [(one.organization.code, one.name) for one in rows], month=str(month)
        )
    except AdmissionUnavailable:
        return 0
    known = _known(rows, now)
    told = 0
    for budget in rows:
        standing = standings.get(budget.organization.code, {}).get(budget.name)
        told += standing is not None and _reached(budget, standing, known[budget.pk], now)
    return told


def _counts(budget: Budget, now: datetime) -> bool:
    """Whether its period is the present one."""
    return now in budget.period_at(now)


def _known(rows: Sequence[Budget], now: datetime) -> dict[int, set[int]]:
    """By budget: the thresholds of its present period that people were told of."""
    periods = {one.pk: one.period_name(now) for one in rows}
    found: dict[int, set[int]] = {pk: set() for pk in periods}
    with rls.everyone(because="sweep: which thresholds were told of?"):
        alerts = BudgetAlert.objects.filter(month__in=set(periods.values()))
        for pk, period, percent in alerts.values_list("budget_id", "month", "percent"):
            if periods.get(pk) == period:
                found[pk].add(percent)
    return found


def _reached(budget: Budget, found: BudgetStanding, told: set[int], now: datetime) -> bool:
    """Tell of the highest threshold that is reached, if nobody was told of it yet."""
    used = found.spent + found.committed
    steps = [step for step in budget.steps if used * 100 >= found.limit * step]
    left = told - set(steps)
    if not left and (not steps or steps[-1] in told):
        return False
    with rls.everyone(because="a sweep tells the members of an organization"), transaction.atomic():
        locked = Budget.objects.select_for_update().get(pk=budget.pk)
        _forget(locked, left, now)
        if not steps or steps[-1] not in _remember(locked, steps, now):
            return False
        _tell(budget, used, found.limit, steps[-1], now)
    return True


def _forget(budget: Budget, left: set[int], now: datetime) -> None:
    """Where the limit was changed since: what was passed then may be passed again. Else the
    counters are behind, and people know."""
    changed = budget.changes.order_by("-at").values_list("at", flat=True).first()
    if left and changed is not None:
        alerts = BudgetAlert.objects.filter(budget=budget, month=budget.period_name(now))
        alerts.filter(percent__in=left, at__lt=changed).delete()


def _remember(budget: Budget, steps: Sequence[int], now: datetime) -> set[int]:
    """The thresholds that were new; the caller has the budget locked."""
    period = budget.period_name(now)
    known = BudgetAlert.objects.filter(budget=budget, month=period)
    new = set(steps) - set(known.values_list("percent", flat=True))
    BudgetAlert.objects.bulk_create(
        BudgetAlert(
            organization_id=budget.organization_id,
            budget=budget,
            month=period,
            percent=step,
            at=now,
        )
        for step in sorted(new)
    )
    return new


def _tell(budget: Budget, used: int, limit: int, step: int, now: datetime) -> None:
    project, name = subject_of(budget)
    notices.tell(
        "budget.reached" if budget.hard else "budget.reached_soft",
        organization=budget.organization,
        to=notices.holders(budget.organization, "budgets.change", project=project),
        now=now,
        place=f"/budget/?budget={budget.public_id}",
        project=project,
        percent=f"{step}%",
        used=f"{used // MICRO:,}",
        limit=f"{limit // MICRO:,}",
        name=name,
        month=_period(budget, now),
    )


def _period(budget: Budget, now: datetime) -> str:
    """``2026-11``, ``2026``, or from when on it runs."""
    if budget.starts_on is None:
        return budget.period_name(now)
    until = budget.ends_on.isoformat() if budget.ends_on else ""
    return f"{budget.starts_on.isoformat()} – {until}".rstrip()


def subject_of(budget: Budget) -> tuple[str, str]:
    """The project that the budget concerns (empty: all), and the name of what it is for."""
    if budget.scope == BudgetScope.KEY:
        key = ApiKey.objects.select_related("project").get(public_id=budget.subject)
        return key.project.public_id, key.name
    if budget.scope == BudgetScope.PROJECT:
        return budget.subject, Project.objects.get(public_id=budget.subject).name
    if budget.scope == BudgetScope.LINE:
        return "", budget.subject
    return "", budget.organization.name
