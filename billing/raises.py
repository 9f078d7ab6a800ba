"""A higher limit by request: a member asks, those whom the rules name sign (``docs/approvals.md``).

A raise until a day is on top of the limit and ends by itself, because its end is told to
admission together with it. The row comes first and Valkey is told after the commit: more room
may wait a second, and the publisher tells it in any case.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing import alerts, budgets, published
from billing.approvals import asking, carrying, moving
from billing.approvals.asking import Wish
from billing.approvals.kinds import CannotBeDone, Deed, Now, TermsChanged
from billing.approvals.matrix import RAISE
from billing.approvals.queries import with_request
from billing.models import ApprovalRequest, Budget, BudgetRaise, RaiseDecision
from billing.refusals import BudgetEnded, FollowsLine, LimitOutOfRange, check_own
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.lib import ids
from portal.lib.money import MAX_BUDGET_WON
from portal.lib.periods import day_period, seoul_date
from tenants import actors, audit, reasons
from tenants.actors import Actor, NotAllowed
from tenants.models import Project

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


def open_raises(by: Actor) -> QuerySet[BudgetRaise]:
    """Those that wait, of budgets that the actor sees, with their requests; newest first."""
    mine = Budget.objects.visible_to(by).current().order_by()
    rows = BudgetRaise.objects.visible_to(by).filter(budget__in=mine, decision=RaiseDecision.OPEN)
    return with_request(rows.select_related("budget", "asked_by"), RAISE)


def limit_now(budget: Budget, *, now: datetime) -> int:
    """The limit of this moment in won, with the raises that last."""
    raises = budgets.raises_of([budget], now=now).get(budget.pk, ())
    return published.won_at(budget, raises, now)


def ask(
    *, budget: Budget, to_won: int, until_on: date | None, because: str, by: Actor, now: datetime
) -> BudgetRaise:
    """Ask for a higher limit, for good or until the end of a day. ``NotMore``,
    ``LimitOutOfRange``, ``BadUntil``, ``AlreadyAsked``, ``BudgetEnded``, ``FollowsLine``,
    ``BadReason``. Programs do not ask."""
    by.require("budgets.ask")
    if by.user is None or by.key is not None:
        raise NotAllowed("budgets.ask")
    check_own(budget)
    because = reasons.normalized(because)
    until_at = _until(until_on, now)
    if not 0 <= to_won <= MAX_BUDGET_WON:
        raise LimitOutOfRange
    with actors.scope_for(by), transaction.atomic():
        rows = Budget.objects.visible_to(by).select_related("organization")
        wish = BudgetRaise(
            public_id=ids.mint("rse"),
            organization=by.organization,
            budget=rows.select_for_update(of=("self",)).get(pk=budget.pk),
            to_won=to_won,
            until_at=until_at,
            because=because,
            asked_by=by.user,
            asked_at=now,
        )
        wish.from_won = _before(wish, now)
        _insert(wish)
        _ask_to_sign(wish, by, now)
    return wish


def _until(until_on: date | None, now: datetime) -> datetime | None:
    if until_on is None:
        return None
    if not seoul_date(now) <= until_on <= seoul_date(now) + LONGEST:
        raise BadUntil
    return day_period(until_on).end


def _before(wish: BudgetRaise, now: datetime) -> int:
    """What the limit is raised from: for good the limit itself, until a day the limit with the
    raises that last. ``BudgetEnded``, ``FollowsLine``, ``BadUntil``, ``NotMore``."""
    budget = wish.budget
    if budget.closed_at is not None:
        raise BudgetEnded
    check_own(budget)
    if wish.until_at is not None and wish.until_at <= now:
        raise BadUntil
    before = budget.limit_won if wish.until_at is None else limit_now(budget, now=now)
    if wish.to_won <= before:
        raise NotMore(before)
    return before


def _insert(wish: BudgetRaise) -> None:
    try:
        with transaction.atomic():
            wish.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyAsked from error


def _ask_to_sign(wish: BudgetRaise, by: Actor, now: datetime) -> None:
    project, name = alerts.subject_of(wish.budget)
    asking.ask(  # a raise always takes another person (matrix.ALWAYS)
        wish=Wish(
            kind=RAISE,
            subject=wish.public_id,
            title=name,
            terms=_terms(wish, wish.from_won),
            amount_won=wish.extra_won,
            project=Project.objects.get(public_id=project) if project else None,
            because=wish.because,
        ),
        by=by,
        now=now,
    )


def _terms(wish: BudgetRaise, from_won: int) -> dict[str, Any]:
    """``until`` is the last day on which it holds."""
    terms: dict[str, Any] = {"from_won": from_won, "to_won": wish.to_won}
    if wish.until_at is not None:
        terms["until"] = seoul_date(wish.until_at - timedelta(seconds=1)).isoformat()
    return terms


def _find(request: ApprovalRequest) -> BudgetRaise:
    rows = BudgetRaise.objects.filter(organization=request.organization)
    return rows.select_related("budget__organization").get(public_id=request.subject)


def terms_now(request: ApprovalRequest, now: datetime) -> Now:
    """The raise seen from the limit of now. ``CannotBeDone``."""
    wish = _find(request)
    try:
        before = _before(wish, now)
    except (BudgetEnded, FollowsLine, BadUntil, NotMore) as error:
        raise CannotBeDone(str(error)) from error
    return Now(_terms(wish, before), wish.to_won - before)


def done(request: ApprovalRequest) -> str:
    """The budget, once the raise holds."""
    wish = _find(request)
    return wish.budget.public_id if wish.decision == RaiseDecision.APPROVED else ""


def ended(request: ApprovalRequest, now: datetime) -> None:
    """Nobody wants it any more. Repeating it changes nothing."""
    rows = BudgetRaise.objects.filter(organization=request.organization, public_id=request.subject)
    rows.filter(decision=RaiseDecision.OPEN).update(decision=request.state, decided_at=now)


def carry_out(request: ApprovalRequest, by: Actor, now: datetime) -> str:
    """Raise the limit as it was approved, exactly once; the budget's public id.
    ``CannotBeDone``. The approval does it, not the decider: their role may lack the verb."""
    system = actors.system(request.organization, request.public_id)
    with actors.scope_for(system), transaction.atomic():
        approved = carrying.to_do(request, system).terms
        wish = _locked(request)
        if wish.decision == RaiseDecision.APPROVED:
            return wish.budget.public_id
        if terms_now(request, now).terms != approved:
            raise TermsChanged
        _raise(wish, approved["from_won"], now)
        _note(wish, request, system, now)
        transaction.on_commit(partial(_publish, wish.budget, system, now), robust=True)
    return wish.budget.public_id


def _locked(request: ApprovalRequest) -> BudgetRaise:
    """The wish and its budget; whoever changes a budget waits for its row."""
    wish = _find(request)
    budget = Budget.objects.select_for_update().get(pk=wish.budget_id)
    wish = BudgetRaise.objects.select_for_update().get(pk=wish.pk)
    wish.budget = budget
    return wish


def _raise(wish: BudgetRaise, from_won: int, now: datetime) -> None:
    """A later round may start from another limit than the first one did."""
    wish.from_won, wish.decision, wish.decided_at = from_won, RaiseDecision.APPROVED, now
    wish.save(update_fields=["from_won", "decision", "decided_at"])
    if wish.until_at is None:
        wish.budget.limit_won = wish.to_won
    wish.budget.number += 1
    wish.budget.save(update_fields=["limit_won", "number"])


def _note(wish: BudgetRaise, request: ApprovalRequest, by: Actor, now: datetime) -> None:
    """In the list of changes and in the audit log: what the limit was, and is from now on."""
    last = moving.last_word(request)
    wish.budget.changes.create(
        organization=request.organization,
        from_won=wish.from_won,
        to_won=wish.to_won,
        because=wish.because[:200],
        by=last.decided_label if last else by.label,
        at=now,
    )
    audit.record(
        "budget.raise_approve",
        by=by,
        now=now,
        subject=wish.budget.public_id,
        changes={
            "from": wish.from_won,
            "to": wish.to_won,
            "until": wish.until_at.isoformat() if wish.until_at else None,
        },
        because=wish.because,
    )


def _publish(budget: Budget, by: Actor, now: datetime) -> None:
    with actors.scope_for(by):
        raises = budgets.raises_of([budget], now=now).get(budget.pk, ())
        taken = budgets.years_taken(budget)
    try:
        budgets.publish(budget, by.organization, now=now, raises=raises, years_taken=taken)
    except (AdmissionUnavailable, Refused) as error:
        log.warning("raise.not_told", budget=budget.public_id, because=str(error))


DEED = Deed(terms_now=terms_now, carry_out=carry_out, done=done, ended=ended)
