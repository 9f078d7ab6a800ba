"""Workers' door to what was used."""

from __future__ import annotations

from contextlib import suppress

from celery import shared_task
from django.utils import timezone

from portal.admission.calls import AdmissionUnavailable
from portal.usage import key_use, unserved_intake


@shared_task
def note_key_use() -> None:
    """Bring the gateways' word about keys into PostgreSQL."""
    key_use.note()


@shared_task
def take_unserved() -> None:
    """Each two seconds: what the gateways counted that no site took. Without Valkey it stays where
    it is."""
    with suppress(AdmissionUnavailable):
        unserved_intake.take()


@shared_task
def forget_unserved() -> None:
    """Every hour: old counts go."""
    unserved_intake.forget(timezone.now())
