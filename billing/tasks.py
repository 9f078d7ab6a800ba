"""Doors for the workers: who is told about money."""

from celery import shared_task
from django.utils import timezone

from billing import alerts


@shared_task
def tell_budgets() -> None:
    """Each minute: budgets that are nearly used, and those that are."""
    alerts.sweep(now=timezone.now())
