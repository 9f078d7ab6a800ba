"""Doors for the workers: who is told about money."""

from celery import shared_task
from django.utils import timezone

from billing import alerts
from billing.fiscal import enforcement, usage


@shared_task
def tell_budgets() -> None:
    """Each minute: budgets that are nearly used, and those that are."""
    alerts.sweep(now=timezone.now())


@shared_task
def raise_lines() -> None:
    """Each minute: budget lines whose quarter has begun, and what a day has changed."""
    enforcement.refresh(now=timezone.now())


@shared_task
def book_usage() -> None:
    """Hourly: what public institutions used becomes expenditure of their lines."""
    usage.book_all(now=timezone.now())
