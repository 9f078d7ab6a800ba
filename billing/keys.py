"""A key with a monthly limit of its own, inside the budgets of project and organization."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing import budgets
from billing.models import Budget, BudgetScope
from portal.lib.money import MAX_BUDGET_WON
from tenants.actions import keys
from tenants.actions.keys import KeyWish
from tenants.actors import Actor
from tenants.models import ApiKey, Project


@transaction.atomic
def create(
    *, project: Project, wish: KeyWish, limit_won: int | None, by: Actor, now: datetime
) -> tuple[ApiKey, str]:
    """As ``tenants.actions.keys.create``. A cap narrows, so whoever makes the key may set it;
    raising it later is a change of a budget."""
    if limit_won is not None and not 0 <= limit_won <= MAX_BUDGET_WON:
        raise budgets.LimitOutOfRange
    key, secret = keys.create(project=project, wish=wish, by=by, now=now)
    if limit_won is not None:
        budgets.ensure(
            organization=by.organization,
            scope=BudgetScope.KEY,
            subject=key.public_id,
            limit_won=limit_won,
            now=now,
        )
    return key, secret


def budget_of(key: ApiKey, *, by: Actor) -> Budget | None:
    """The key's own limit, if it has one."""
    mine = Budget.objects.visible_to(by).current().filter(subject=key.public_id)
    return mine.order_by("period", "pk").first()
