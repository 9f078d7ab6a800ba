"""Door for the workers: rollouts that go on, sizes, accounts and organizations that end."""

from celery import shared_task
from django.utils import timezone

from billing import budgets
from portal.admission.calls import AdmissionUnavailable
from portal.routing import endings, rolling, sizing, telling
from tenants.actions import closings


@shared_task
def sweep_rollouts() -> None:
    """Each two seconds, and nudged: rollouts go on. Without Valkey nothing is known of answers,
    and they go on by what the sites say."""
    now = timezone.now()
    try:
        told = telling.demands(budgets.admission(), now)
    except AdmissionUnavailable:
        told = []
    rolling.sweep(told, now=now)


@shared_task
def sweep_sizes() -> None:
    """Each two seconds: as many replicas as are asked for. Without Valkey nobody knows how many,
    and all stay."""
    now = timezone.now()
    try:
        told = telling.demands(budgets.admission(), now)
    except AdmissionUnavailable:
        return
    sizing.sweep(told, now=now)


@shared_task
def sweep_endings() -> None:
    """Every minute: whose time has come?"""
    now = timezone.now()
    endings.close_organizations(now=now)
    endings.end_accounts(now=now)
    closings.end_retention(now)
