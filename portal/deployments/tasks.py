"""Doors for the workers: card time, commitments, month end."""

from celery import shared_task
from django.utils import timezone

from portal.deployments import approving
from portal.deployments.actions import card_time, closing, commitments
from portal.lib.periods import Month


@shared_task
def accrue() -> None:
    """Card time of full hours and of what has stopped."""
    card_time.accrue_all(now=timezone.now())


@shared_task
def repair_commitments() -> None:
    """Commitments of a new month, of ended endpoints, and lost calls."""
    commitments.repair(now=timezone.now())


@shared_task
def close_last_month() -> None:
    """Hourly: bill the month that is over. The first run does it, the others find nothing."""
    now = timezone.now()
    closing.close_month(Month.of(now).previous, now=now)


@shared_task
def sweep_approvals() -> None:
    """Each minute: what expires, who is reminded, and what a dead process left approved."""
    approving.sweep(now=timezone.now())
