"""Door for the workers: accounts and organizations that end."""

from celery import shared_task
from django.utils import timezone

from portal.routing import endings
from tenants.actions import closings


@shared_task
def sweep_endings() -> None:
    """Every minute: whose time has come?"""
    now = timezone.now()
    endings.close_organizations(now=now)
    endings.end_accounts(now=now)
    closings.end_retention(now)
