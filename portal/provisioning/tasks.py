"""Door for the workers: sweep what is due, reconcile one site, watch what is silent."""

from celery import shared_task
from django.utils import timezone

from portal.deployments.actions import leaving
from portal.fleet import moves
from portal.fleet.models import Site
from portal.provisioning.reconcile import reconcile as reconcile_now


@shared_task
def sweep() -> None:
    """Every site is always due: its report is the truth, so it is asked again and again; also one
    that takes no new work, since it must be told what to stop."""
    for code in Site.objects.asked().values_list("code", flat=True):
        reconcile.apply_async(kwargs={"site": code}, expires=2)


@shared_task
def reconcile(*, site: str) -> None:
    """One round for one site."""
    reconcile_now(site, now=timezone.now())


@shared_task
def watch() -> None:
    """Sites that fell silent, and replicas that have to leave theirs."""
    now = timezone.now()
    moves.sweep(now=now)
    leaving.sweep(now=now)
