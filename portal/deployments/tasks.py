"""Doors for the workers: card time, commitments, month end."""

from celery import shared_task
from django.utils import timezone

from billing.models import MonthClose
from portal.catalog import admitting
from portal.deployments import approving, engine_logs
from portal.deployments.actions import (
    card_time,
    closing,
    commitments,
    drills,
    freeing,
    freeing_orders,
    opening,
    reserved_time,
    watches,
)


@shared_task
def accrue() -> None:
    """Card time of full hours and of what has stopped; then what was reserved and not used."""
    now = timezone.now()
    card_time.accrue_all(now=now)
    reserved_time.accrue_all(now=now)


@shared_task
def repair_commitments() -> None:
    """Commitments of a new month, of ended endpoints, and lost calls; pauses and ends that are
    done."""
    now = timezone.now()
    commitments.repair(now=now)
    freeing.sweep(now=now)
    freeing_orders.sweep(now=now)


@shared_task
def close_last_month() -> None:
    """Each minute: carry the end of the month that is over on, and earlier ones that wait."""
    now = timezone.now()
    closing.sweep(now=now)


@shared_task
def resume_month(close_id: int) -> None:
    """Carry one month on: nudged when the operator has begun or decided something."""
    closing.resume(MonthClose.objects.get(pk=close_id), now=timezone.now())


@shared_task
def sweep_approvals() -> None:
    """Each minute: what expires, who is reminded, and what a dead process left approved."""
    approving.sweep(now=timezone.now())


@shared_task
def tell_of_room() -> None:
    """Each minute: wishes that had found no room, and find some now."""
    watches.sweep(now=timezone.now())


@shared_task
def follow_opening_hours() -> None:
    """Each ten seconds, and nudged: what opens or closes now."""
    opening.sweep(now=timezone.now())


@shared_task
def forget_logs() -> None:
    """Each hour: kept logs of engines that ended long ago."""
    engine_logs.forget(now=timezone.now())


@shared_task
def sweep_drills() -> None:
    """Each two seconds: drills begin, end and get their reports."""
    drills.sweep(now=timezone.now())


@shared_task
def sweep_own_models() -> None:
    """Nudge a worker for each own model that waits for its check."""
    admitting.nudge_due(now=timezone.now())


@shared_task
def check_own_model(organization_id: int, own_model_id: int) -> None:
    """Ask its origin, and admit or refuse it."""
    admitting.check(organization_id, own_model_id, now=timezone.now())
