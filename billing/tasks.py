"""Doors for the workers: what use has cost, who is told about money."""

from celery import shared_task
from django.utils import timezone

from billing import accruals, alerts
from portal.lib.periods import day_period, seoul_date


@shared_task
def accrue() -> None:
    """Hourly: the days that are over, and what came late. An invoice looks at today by itself."""
    now = timezone.now()
    accruals.accrue(until=day_period(seoul_date(now)).start, now=now)


@shared_task
def tell_budgets() -> None:
    """Each minute: budgets that are nearly used, and those that are."""
    alerts.sweep(now=timezone.now())
