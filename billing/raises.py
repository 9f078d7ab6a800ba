"""A higher limit by request: a member asks, who may change budgets decides with a sentence.

Nobody decides on their own request where somebody else could. A raise until a day is on top of the
limit and ends by itself, because its end is told to admission together with it. The row comes
first and Valkey is told after the commit: more room may wait a second, and the publisher tells it
in any case.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing import alerts, budgets, published
from billing.models import Budget, BudgetRaise, RaiseDecision
from billing.refusals import BudgetEnded, LimitOutOfRange, check_own
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.lib import ids
from portal.lib.money import MAX_BUDGET_WON
from portal.lib.periods import day_period, seoul_date
from tenants import actors, audit, notices, reasons
from tenants.actors import Actor, NotAllowed
from tenants.models import User

log = structlog.get_logger()

LONGEST = timedelta(days=366)


class NotMore(Exception):
    """The wish is no raise: the limit is as high already."""

    def __init__(self, limit_won: int) -> None:
        super().__init__()
        self.limit_won = limit_won

    def __str__(self) -> str:
        return _("The limit is ₩%(limit)s already. Ask for more than that.") % {
            "limit": f"{self.limit_won:,}"
        }


class BadUntil(Exception):
    def __str__(self) -> str:
        return _("A raise lasts until a day from today on, within a year.")


class AlreadyAsked(Exception):
    def __str__(self) -> str:
        return _("You have asked for this budget already. Withdraw that first.")


class NeedsAnother(Exception):
    def __str__(self) -> str:
        return _("You asked for this yourself. Another person has to decide.")


class AlreadyDecided(Exception):
    def __str__(self) -> str:
        return _("This request is decided already. Look at it again.")


def _person(by: Actor) -> User:
    """Programs neither ask nor decide."""
    if by.user is None or by.key is not None:
        raise NotAllowed("budgets.ask")
    return by.user


def open_raises(by: Actor) -> QuerySet[BudgetRaise]:
    """Those that wait, of budgets that the actor sees; newest first."""
    mine = Budget.objects.visible_to(by).current().order_by()
    rows = BudgetRaise.objects.visible_to(by).filter(budget__in=mine)
    return rows.filter(decision=RaiseDecision.OPEN).select_related("budget", "asked_by")


def limit_now(budget: Budget, *, now: datetime) -> int:
    """The limit of this moment in won, with the raises that last."""
    raises = budgets.raises_of([budget], now=now).get(budget.pk, ())
    return published.won_at(budget, raises, now)


def ask(
    *, budget: Budget, to_won: int, until_on: date | None, because: str, by: Actor, now: datetime
) -> BudgetRaise:
    """Ask for a higher limit, for good or until the end of a day. ``NotMore``,
    ``LimitOutOfRange``, ``BadUntil``, ``AlreadyAsked``, ``BudgetEnded``, ``FollowsLine``,
    ``BadReason``."""
    by.require("budgets.ask")
    check_own(budget)
    person, because = _person(by), reasons.normalized(because)
    until_at = _until(until_on, now)
    if not 0 <= to_won <= MAX_BUDGET_WON:
        raise LimitOutOfRange
    with actors.scope_for(by), transaction.atomic():
        if budget.closed_at is not None:
            raise BudgetEnded
        from_won = limit_now(budget, now=now)
        if to_won <= from_won:
            raise NotMore(from_won)
        wish = _insert(
            BudgetRaise(
                public_id=ids.mint("rse"),
                organization=by.organization,
                budget=budget,
                from_won=from_won,
                to_won=to_won,
                until_at=until_at,
                because=because,
                asked_by=person,
                asked_at=now,
            )
        )
        _record("budget.raise_ask", wish, by, now, because)
        _tell_deciders(wish, by, now)
    return wish


def _until(until_on: date | None, now: datetime) -> datetime | None:
    if until_on is None:
        return None
    if not seoul_date(now) <= until_on <= seoul_date(now) + LONGEST:
        raise BadUntil
    return day_period(until_on).end


def _insert(wish: BudgetRaise) -> BudgetRaise:
    try:
        with transaction.atomic():
            wish.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyAsked from error
    return wish


def _record(verb: str, wish: BudgetRaise, by: Actor, now: datetime, because: str) -> None:
    until = wish.until_at.isoformat() if wish.until_at else None
    audit.record(
        verb,
        by=by,
        now=now,
        subject=wish.budget.public_id,
        changes={"from": wish.from_won, "to": wish.to_won, "until": until},
        because=because,
    )


def deciders(budget: Budget, *, besides: User | None = None) -> list[User]:
    """Who may decide on raises of a budget: those who may change it, but for one."""
    project, _name = alerts.subject_of(budget)
    found = notices.holders(budget.organization, "budgets.change", project=project)
    return [one for one in found if one != besides]


def _tell_deciders(wish: BudgetRaise, by: Actor, now: datetime) -> None:
    project, name = alerts.subject_of(wish.budget)
    notices.tell(
        "budget.raise_asked",
        organization=wish.organization,
        to=deciders(wish.budget, besides=wish.asked_by),
        now=now,
        place=f"/budget/?budget={wish.budget.public_id}",
        project=project,
        by=by.label,
        name=name,
        before=f"{wish.from_won:,}",
        after=f"{wish.to_won:,}",
        because=wish.because,
    )


@transaction.atomic
def approve(*, request: BudgetRaise, by: Actor, now: datetime, because: str = "") -> BudgetRaise:
    """Raise the limit as it was asked, exactly once. ``NeedsAnother``, ``AlreadyDecided``,
    ``NotMore`` if it is as high by now, ``LimitOutOfRange``, ``BudgetEnded``, ``BadUntil`` if its
    end is over. May run inside the transaction of a decision that has more steps."""
    by.require("budgets.change")
    with actors.scope_for(by):
        wish, budget = _locked(request, by)
        before = _check(wish, budget, now)
        if wish.until_at is None:
            budget.limit_won = wish.to_won
        budget.number += 1
        budget.save(update_fields=["limit_won", "number"])
        _decide(wish, RaiseDecision.APPROVED, by, now, because)
        _note(budget, wish, before, by, now)
        _record("budget.raise_approve", wish, by, now, because or wish.because)
        _tell_asker("budget.raise_approved", wish, by, now, wish.because)
        transaction.on_commit(partial(_publish, budget, by, now), robust=True)
    return wish


def _check(wish: BudgetRaise, budget: Budget, now: datetime) -> int:
    """The limit before, or what speaks against the raise by now."""
    if budget.closed_at is not None:
        raise BudgetEnded
    before = limit_now(budget, now=now)
    if wish.until_at is None:
        if wish.to_won <= budget.limit_won:
            raise NotMore(budget.limit_won)
        return before
    if wish.until_at <= now:
        raise BadUntil
    if before + wish.extra_won > MAX_BUDGET_WON:
        raise LimitOutOfRange
    return before


def _note(budget: Budget, wish: BudgetRaise, before: int, by: Actor, now: datetime) -> None:
    """In the list of changes: what the limit was, and is from now on."""
    budget.changes.create(
        organization=by.organization,
        from_won=before,
        to_won=limit_now(budget, now=now),
        because=wish.because[:200],
        by=by.label,
        at=now,
    )


def _publish(budget: Budget, by: Actor, now: datetime) -> None:
    with actors.scope_for(by):
        raises = budgets.raises_of([budget], now=now).get(budget.pk, ())
        taken = budgets.years_taken(budget)
    try:
        budgets.publish(budget, by.organization, now=now, raises=raises, years_taken=taken)
    except (AdmissionUnavailable, Refused) as error:
        log.warning("raise.not_told", budget=budget.public_id, because=str(error))


@transaction.atomic
def refuse(*, request: BudgetRaise, because: str, by: Actor, now: datetime) -> BudgetRaise:
    """Decide against it, with a sentence. ``NeedsAnother``, ``AlreadyDecided``, ``BadReason``."""
    by.require("budgets.change")
    because = reasons.normalized(because)
    with actors.scope_for(by):
        wish, _budget = _locked(request, by)
        _decide(wish, RaiseDecision.REFUSED, by, now, because)
        _record("budget.raise_refuse", wish, by, now, because)
        _tell_asker("budget.raise_refused", wish, by, now, because)
    return wish


@transaction.atomic
def withdraw(*, request: BudgetRaise, by: Actor, now: datetime) -> BudgetRaise:
    """Whoever asked takes it back. ``AlreadyDecided``."""
    person = _person(by)
    with actors.scope_for(by):
        rows = BudgetRaise.objects.visible_to(by).select_for_update(of=("self",))
        wish = rows.select_related("budget").get(pk=request.pk)
        if wish.asked_by_id != person.pk:
            raise NotAllowed("budgets.ask")
        _decide(wish, RaiseDecision.WITHDRAWN, by, now, "")
        _record("budget.raise_withdraw", wish, by, now, "")
    return wish


def _locked(request: BudgetRaise, by: Actor) -> tuple[BudgetRaise, Budget]:
    """The request and its budget, for a decision of somebody else than who asked: unless nobody
    else could decide."""
    budget = Budget.objects.visible_to(by).select_for_update(of=("self",)).get(pk=request.budget_id)
    rows = BudgetRaise.objects.visible_to(by).select_for_update(of=("self",))
    wish = rows.select_related("asked_by").get(pk=request.pk)
    wish.budget = budget
    if wish.decision != RaiseDecision.OPEN:
        raise AlreadyDecided
    if wish.asked_by == by.user and deciders(budget, besides=by.user):
        raise NeedsAnother
    return wish, budget


def _decide(
    wish: BudgetRaise, decision: RaiseDecision, by: Actor, now: datetime, because: str
) -> None:
    """The old state stands in the WHERE clause: the second decision finds nothing."""
    moved = BudgetRaise.objects.filter(pk=wish.pk, decision=RaiseDecision.OPEN).update(
        decision=decision, decided_by=by.user, decided_at=now, decided_because=because
    )
    if not moved:
        raise AlreadyDecided
    wish.decision, wish.decided_by, wish.decided_at = decision, by.user, now
    wish.decided_because = because


def _tell_asker(kind: str, wish: BudgetRaise, by: Actor, now: datetime, because: str) -> None:
    project, name = alerts.subject_of(wish.budget)
    notices.tell(
        kind,
        organization=wish.organization,
        to=[wish.asked_by],
        now=now,
        place=f"/budget/?budget={wish.budget.public_id}",
        project=project,
        by=by.label,
        name=name,
        before=f"{wish.from_won:,}",
        after=f"{wish.to_won:,}",
        because=because,
    )
