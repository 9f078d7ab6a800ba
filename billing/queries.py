"""What doors ask about money."""

from __future__ import annotations

from django.db.models import Case, IntegerField, QuerySet, When

from billing.models import Budget, BudgetScope, Invoice
from tenants.actors import Actor


def invoices(actor: Actor) -> QuerySet[Invoice]:
    """The organization's invoices, newest first."""
    return Invoice.objects.visible_to(actor).order_by("-issued_at", "-number")


def budgets(actor: Actor) -> QuerySet[Budget]:
    """The organization's budgets, the widest first."""
    widest = Case(
        *(When(scope=scope, then=place) for place, scope in enumerate(BudgetScope.values)),
        output_field=IntegerField(),
    )
    return Budget.objects.visible_to(actor).order_by(widest, "pk")
