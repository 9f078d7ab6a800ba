"""Workers' doors to people and rights: the audit log, access reviews."""

from celery import shared_task
from django.utils import timezone

from tenants import pruning, sealing, verifying
from tenants.actions import reviews


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


@shared_task
def review_access() -> None:
    """Hourly: the quarter's access reviews are opened, and those that are overdue told of."""
    now = timezone.now()
    reviews.open_due(now=now)
    reviews.announce_overdue(now=now)
