"""What doors ask about money."""

from __future__ import annotations

from django.db.models import Case, IntegerField, QuerySet, When

from billing.models import Budget, BudgetPeriod, BudgetScope, Invoice
from tenants.actors import Actor


def invoices(actor: Actor) -> QuerySet[Invoice]:
    """The organization's invoices, newest first."""
    return Invoice.objects.visible_to(actor).order_by("-issued_at", "-number")


def budgets(actor: Actor) -> QuerySet[Budget]:
    """The organization's budgets that have not ended, the widest first; of one subject the monthly
    one first."""
    widest = Case(
        *(When(scope=scope, then=place) for place, scope in enumerate(BudgetScope.values)),
        output_field=IntegerField(),
    )
    by_period = Case(
        *(When(period=period, then=place) for place, period in enumerate(BudgetPeriod.values)),
        output_field=IntegerField(),
    )
    rows = Budget.objects.visible_to(actor).current()
    return rows.order_by(widest, "subject", by_period, "pk")
