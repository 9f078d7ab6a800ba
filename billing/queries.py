"""What doors ask about money."""

from __future__ import annotations

from django.db.models import QuerySet

from billing.models import Budget, Invoice
from tenants.actors import Actor


def invoices(actor: Actor) -> QuerySet[Invoice]:
    """The organization's invoices, newest first."""
    return Invoice.objects.visible_to(actor).order_by("-issued_at", "-number")


def budgets(actor: Actor) -> QuerySet[Budget]:
    """The organization's budgets, the widest first."""
    return Budget.objects.visible_to(actor).order_by("-scope", "pk")
