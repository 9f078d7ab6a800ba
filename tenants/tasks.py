"""Doors for the workers: copies of personal data, and what is too old to keep."""

from celery import shared_task
from django.utils import timezone

from tenants import retention
from tenants.actions import exports


@shared_task
def make_exports() -> None:
    """Make the copies that people wait for."""
    for export in exports.waiting():
        exports.make(export, now=timezone.now())


@shared_task
def sweep_retention() -> None:
    """Remove what is older than its rule allows."""
    retention.sweep(timezone.now())
