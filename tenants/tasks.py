"""Doors for the workers: customers that the registry of businesses is to be asked about."""

from celery import shared_task
from django.utils import timezone

from tenants.actions import checks
from tenants.registry.chosen import registry


@shared_task
def ask_registry() -> None:
    """Those that are due: new ones at once, all others each night, silence again after a pause."""
    checks.sweep(registry=registry(), now=timezone.now())
