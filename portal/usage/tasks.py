"""Workers' door to what was used."""

from __future__ import annotations

from celery import shared_task

from portal.usage import key_use


@shared_task
def note_key_use() -> None:
    """Bring the gateways' word about keys into PostgreSQL."""
    key_use.note()
