"""Doors for the workers: the audit log is sealed, verified and pruned."""

from celery import shared_task
from django.utils import timezone

from tenants import pruning, sealing, verifying


@shared_task
def seal_audit() -> None:
    """Every 20 seconds: new events into their chains."""
    sealing.sweep(now=timezone.now())


@shared_task
def verify_audit() -> None:
    """Every minute: the chain that was not verified for the longest time, a day at least."""
    verifying.verify_next(now=timezone.now())


@shared_task
def prune_audit() -> None:
    """Hourly: what has been kept for as long as it must be."""
    pruning.sweep(now=timezone.now())
