"""Doors for the workers: what use has cost, who is told about money."""

from celery import shared_task
from django.utils import timezone

from billing import accruals, alerts, reminding
from billing.closing import delivery
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


@shared_task
def deliver_invoices() -> None:
    """Each minute: PDFs of issued invoices, and telling those who read them."""
    delivery.deliver(now=timezone.now())


@shared_task
def remind_of_invoices() -> None:
    """Each hour: reminders, restrictions and what lifts them. Days are days in Korea."""
    reminding.sweep(now=timezone.now())
