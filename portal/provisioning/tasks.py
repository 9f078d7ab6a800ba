"""Door for the workers: sweep what is due, reconcile one site."""

from celery import shared_task
from django.utils import timezone

from portal.fleet.models import Site
from portal.provisioning.reconcile import reconcile as reconcile_now


@shared_task
def sweep() -> None:
    """Every site is always due: its report is the truth, so it is asked again and again."""
    for code in Site.objects.active().values_list("code", flat=True):
        reconcile.apply_async(kwargs={"site": code}, expires=2)


@shared_task
def reconcile(*, site: str) -> None:
    """One round for one site."""
    reconcile_now(site, now=timezone.now())
