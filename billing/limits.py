"""Making, adjusting and ending budgets. How high one is changes in ``billing.budgets``.

A new budget is a row; the publisher gives it what its period has spent and tells admission within
a second. What makes a budget tighter is told to Valkey before the row is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from billing import budgets
from billing.booked import counters_from_ledger
from billing.models import Budget, BudgetChange, BudgetPeriod, BudgetScope
from billing.refusals import (
    BadPeriod,
    BadThresholds,
    BudgetEnded,
    LastBudget,
    LimitOutOfRange,
    LimitTooLow,
    PeriodTaken,
    SubjectUnknown,
    check_own,
)
from billing.told import as_told, kept
from portal.lib import ids
from portal.lib.money import MAX_BUDGET_WON, ceil_won, micro_to_won
from portal.lib.periods import Month, Year, seoul_date
from tenants import actors, audit, rls
from tenants.actors import Actor
from tenants.models import ApiKey, Organization, Project

MOST_THRESHOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWish:
    """What a new budget shall be. ``year``: of that fiscal year only. ``starts_on`` of a running
    one: today without it; ``ends_on``: the first day without it."""

    scope: str
    subject: str
    period: str
    limit_won: int
    hard: bool = True
    year: int | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    thresholds: Sequence[int] = (80, 100)
    covers: Sequence[str] = ()


def create(*, wish: BudgetWish, because: str, by: Actor, now: datetime) -> Budget:
    """One more budget. ``SubjectUnknown``, ``LimitOutOfRange``, ``BadPeriod``, ``BadThresholds``,
    ``PeriodTaken``; ``LimitTooLow`` below what its period has used already."""
    by.require("budgets.change")
    with actors.scope_for(by), transaction.atomic():
        title = _title(wish, by)
        budget = _drafted(wish, by.organization, now)
        _check_used(budget, now)
        _insert(budget, title)
        audit.record(
            "budget.create",
            by=by,
            now=now,
            subject=budget.public_id,
            changes={"subject": wish.subject, "period": wish.period, "limit_won": wish.limit_won},
            because=because,
        )
        _note(budget, 0, because, by.label, now)
    return budget


def _title(wish: BudgetWish, by: Actor) -> str:
    """The name of what it is for, if the actor may see it."""
    if wish.scope == BudgetScope.ORGANIZATION:
        if wish.subject != by.organization.public_id or by.projects is not None:
            raise SubjectUnknown
        return by.organization.name
    found: Project | ApiKey | None = None
    if wish.scope == BudgetScope.PROJECT:
        found = Project.objects.visible_to(by).filter(public_id=wish.subject).first()
    elif wish.scope == BudgetScope.KEY:
        found = ApiKey.objects.visible_to(by).filter(public_id=wish.subject).first()
    if found is None:
        raise SubjectUnknown
    return found.name


def _drafted(wish: BudgetWish, organization: Organization, now: datetime) -> Budget:
    """The row, checked but for what only the database knows."""
    if not 0 <= wish.limit_won <= MAX_BUDGET_WON:
        raise LimitOutOfRange
    starts_on, ends_on = _dates(wish, now)
    return Budget(
        public_id=ids.mint("bdg"),
        organization=organization,
        scope=wish.scope,
        subject=wish.subject,
        period=wish.period,
        year=wish.year,
        starts_on=starts_on,
        ends_on=ends_on,
        covers=list(wish.covers),
        limit_won=wish.limit_won,
        hard=wish.hard,
        thresholds=checked_thresholds(wish.thresholds),
        number=_next_number(wish.subject, wish.period),
        created_at=now,
    )


def _dates(wish: BudgetWish, now: datetime) -> tuple[date | None, date | None]:
    today = seoul_date(now)
    if wish.period not in BudgetPeriod.values:
        raise BadPeriod
    if wish.year is not None and (
        wish.period != BudgetPeriod.YEAR or not today.year <= wish.year <= today.year + 5
    ):
        raise BadPeriod
    if wish.period != BudgetPeriod.RUNNING:
        if wish.starts_on or wish.ends_on:
            raise BadPeriod(wish.starts_on, wish.ends_on)
        return None, None
    starts_on = wish.starts_on or today
    if wish.ends_on is not None and wish.ends_on <= max(starts_on, today):
        raise BadPeriod(starts_on, wish.ends_on)
    if not 2000 <= starts_on.year <= 2999:
        raise BadPeriod(starts_on, wish.ends_on)
    return starts_on, wish.ends_on


def checked_thresholds(steps: Sequence[int]) -> list[int]:
    """In order. ``BadThresholds`` for none, too many, twice the same or what is no percentage."""
    if not 1 <= len(steps) <= MOST_THRESHOLDS or len(set(steps)) < len(steps):
        raise BadThresholds
    if not all(1 <= step <= 100 for step in steps):
        raise BadThresholds
    return sorted(steps)


def _next_number(subject: str, period: str) -> int:
    """Admission keeps the newest: one more than any budget of this name ever had."""
    rows = Budget.objects.filter(subject=subject, period=period)
    return int(rows.aggregate(most=Max("number"))["most"] or 0) + 1


def _check_used(budget: Budget, now: datetime) -> None:
    """A budget that would be passed from its first moment is refused, with the number."""
    month = Month.of(now) if budget.year in (None, Year.of(now).year) else None
    if month is None or not budget.hard:
        return
    spent, committed = counters_from_ledger(budget, month)
    used = ceil_won(micro_to_won(spent + committed))
    if budget.limit_won < used:
        raise LimitTooLow(used)


def _insert(budget: Budget, title: str) -> None:
    try:
        with transaction.atomic():
            budget.save(force_insert=True)
    except IntegrityError as error:
        raise PeriodTaken(title) from error


def _note(budget: Budget, before: int, because: str, by: str, now: datetime) -> None:
    BudgetChange.objects.create(
        organization_id=budget.organization_id,
        budget=budget,
        from_won=before,
        to_won=budget.limit_won,
        because=because[:200],
        by=by,
        at=now,
    )


def adjust(
    *,
    budget: Budget,
    hard: bool,
    thresholds: Sequence[int],
    ends_on: date | None,
    because: str,
    by: Actor,
    now: datetime,
) -> Budget:
    """Hard or soft, when people are told, and until when a running budget lasts. Making it hard,
    and ending it, is told to Valkey first. ``LimitTooLow``, ``BadThresholds``, ``BadPeriod``,
    ``BudgetEnded``, ``FollowsLine``, ``ChangedMeanwhile``, ``CountersUnavailable``."""
    by.require("budgets.change")
    if not hard:
        check_own(budget)
    told = copy(budget)
    told.hard, told.thresholds = hard, checked_thresholds(thresholds)
    told.ends_on, told.number = _end(budget, ends_on, now), budget.number + 1
    if budget.closed_at is not None:
        raise BudgetEnded
    with actors.scope_for(by):
        raises = budgets.raises_of([budget], now=now).get(budget.pk, ())
        taken = budgets.years_taken(budget)
    budgets.tell_limit(told, by.organization, now=now, raises=raises, years_taken=taken)
    with kept(budget), actors.scope_for(by), transaction.atomic():
        locked = as_told(Budget.objects.visible_to(by), budget)
        before = _kept(locked)
        locked.hard, locked.thresholds, locked.ends_on = told.hard, told.thresholds, told.ends_on
        locked.number += 1
        locked.save(update_fields=["hard", "thresholds", "ends_on", "number"])
        audit.record(
            "budget.change",
            by=by,
            now=now,
            subject=locked.public_id,
            changes={"from": before, "to": _kept(locked)},
            because=because,
        )
    return locked


def _kept(budget: Budget) -> dict[str, object]:
    """As the audit log keeps it."""
    ends_on = budget.ends_on.isoformat() if budget.ends_on else None
    return {"hard": budget.hard, "thresholds": budget.thresholds, "ends_on": ends_on}


def _end(budget: Budget, ends_on: date | None, now: datetime) -> date | None:
    if ends_on == budget.ends_on:
        return ends_on
    if budget.starts_on is None or (
        ends_on is not None and ends_on <= max(budget.starts_on, seoul_date(now))
    ):
        raise BadPeriod(budget.starts_on, ends_on)
    return ends_on


@transaction.atomic
def close(*, budget: Budget, because: str, by: Actor, now: datetime) -> Budget:
    """It counts no more. ``LastBudget``: an organization keeps one of its own; ``BudgetEnded``,
    ``FollowsLine``."""
    by.require("budgets.change")
    check_own(budget)
    with actors.scope_for(by):
        rows = Budget.objects.visible_to(by).current().select_for_update()
        locked = rows.filter(pk=budget.pk).first()
        if locked is None:
            raise BudgetEnded
        others = rows.filter(scope=BudgetScope.ORGANIZATION).exclude(pk=budget.pk)
        if locked.scope == BudgetScope.ORGANIZATION and not others.exists():
            raise LastBudget
        locked.closed_at = now
        locked.save(update_fields=["closed_at"])
        audit.record("budget.close", by=by, now=now, subject=locked.public_id, because=because)
    return locked


def set_limit(
    *, organization: Organization, wish: BudgetWish, because: str, by: str, now: datetime
) -> Budget:
    """The limit of a subject in a period, made or changed: for what keeps books of its own, such as
    the lines of a fiscal year. ``LimitTooLow`` below what is spent, committed and held;
    ``LimitOutOfRange``, ``ChangedMeanwhile``, ``CountersUnavailable``: nothing was changed.

    Call it outside of transactions and before your own rows are written: Valkey is told first.
    """
    with rls.tenant(organization.pk):
        found = _current(wish)
        if found is None:
            budget = _drafted(wish, organization, now)
            _check_used(budget, now)
            _insert(budget, wish.subject)
            _note(budget, 0, because, by, now)
            return budget
    told = copy(found)
    told.limit_won, told.hard, told.number = wish.limit_won, wish.hard, found.number + 1
    if not 0 <= wish.limit_won <= MAX_BUDGET_WON:
        raise LimitOutOfRange
    budgets.tell_limit(told, organization, now=now)
    with kept(found), rls.tenant(organization.pk), transaction.atomic():
        locked = as_told(Budget.objects.all(), found)
        before, locked.limit_won, locked.hard = locked.limit_won, wish.limit_won, wish.hard
        locked.covers, locked.number = list(wish.covers), locked.number + 1
        locked.save(update_fields=["limit_won", "hard", "covers", "number"])
        _note(locked, before, because, by, now)
    return locked


def _current(wish: BudgetWish) -> Budget | None:
    rows = Budget.objects.current().filter(subject=wish.subject, period=wish.period)
    return rows.filter(year=wish.year).order_by("-starts_on").first()


def words_of(budget: Budget) -> str:
    """Its period for a reader: monthly, 2027, from 1 March."""
    if budget.year:
        return _("fiscal year %(year)s") % {"year": budget.year}
    return str(BudgetPeriod(budget.period).label)
