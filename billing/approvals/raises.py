"""Raising a budget by request: who may not change a limit asks those who may."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from billing import budgets
from billing.approvals import asking
from billing.approvals.asking import Wish
from billing.approvals.kinds import CannotBeDone, Deed, Now
from billing.approvals.matrix import RAISE
from billing.models import ApprovalRequest, Budget, BudgetScope
from portal.lib.money import MAX_BUDGET_WON
from tenants import actors, reasons
from tenants.actors import Actor
from tenants.models import ApiKey, Project


class NoRaise(Exception):
    def __str__(self) -> str:
        return _("Ask for a limit above the one that holds.")


def ask(*, budget: Budget, to_won: int, because: str, by: Actor, now: datetime) -> ApprovalRequest:
    """Ask for a higher limit, in whole won. ``NoRaise``, ``LimitOutOfRange``, ``BadReason``,
    ``AlreadyAsked``. Whose role may see the budget may ask."""
    by.require("budgets.read")
    if isinstance(to_won, bool) or not 0 <= to_won <= MAX_BUDGET_WON:
        raise budgets.LimitOutOfRange
    if to_won <= budget.limit_won:
        raise NoRaise
    project, title = _about(budget)
    made = asking.ask(
        wish=Wish(
            kind=RAISE,
            subject=budget.public_id,
            title=title,
            terms={"from_won": budget.limit_won, "to_won": to_won},
            amount_won=to_won - budget.limit_won,
            project=project,
            because=reasons.normalized(because),
        ),
        by=by,
        now=now,
    )
    assert made is not None  # a raise always takes another person (matrix.ALWAYS)
    return made


def _about(budget: Budget) -> tuple[Project | None, str]:
    """The project that the budget concerns (None: all), and the name of what it is for."""
    if budget.scope == BudgetScope.PROJECT:
        project = Project.objects.get(public_id=budget.subject)
        return project, project.name
    if budget.scope == BudgetScope.KEY:
        key = ApiKey.objects.select_related("project").get(public_id=budget.subject)
        return key.project, key.name
    return None, budget.organization.name


def _budget(request: ApprovalRequest) -> Budget:
    return Budget.objects.select_related("organization").get(public_id=request.subject)


def _asked(request: ApprovalRequest) -> int:
    """The limit that was asked for, in won."""
    return int(request.terms.get(round=request.round).terms["to_won"])


def terms_now(request: ApprovalRequest, now: datetime) -> Now:
    """The raise seen from the limit of now."""
    budget, to_won = _budget(request), _asked(request)
    terms = {"from_won": budget.limit_won, "to_won": to_won}
    if to_won <= budget.limit_won:
        return Now(terms, 0)
    return Now(terms, to_won - budget.limit_won)


def done(request: ApprovalRequest) -> str:
    """The limit is what was asked for."""
    budget = _budget(request)
    return budget.public_id if budget.limit_won == _asked(request) else ""


def carry_out(request: ApprovalRequest, by: Actor, now: datetime) -> str:
    """Set the limit. The approval does it, not the decider: their role may lack the verb."""
    system = actors.system(request.organization, request.public_id)
    with actors.scope_for(system):
        budget, to_won = _budget(request), _asked(request)
    if to_won < budget.limit_won:
        raise CannotBeDone(str(NoRaise()))
    try:
        changed = budgets.change(
            budget=budget, limit_won=to_won, because=request.because, by=system, now=now
        )
    except (
        budgets.LimitOutOfRange,
        budgets.LimitTooLow,
        budgets.ChangedMeanwhile,
        budgets.CountersUnavailable,
    ) as error:
        raise CannotBeDone(str(error)) from error
    return changed.public_id


DEED = Deed(terms_now=terms_now, carry_out=carry_out, done=done)
