"""Which gateways there are: registered in PostgreSQL from their heartbeats, once a few seconds.

A Valkey that lost everything has forgotten them; after a loss, each that was heard shortly before
is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import Max

from portal.routing.demand import Demand
from portal.usage.models import RegisteredGateway
from tenants import rls

LAPSE = timedelta(seconds=5)  # without a heartbeat a gateway is dead
_FORGET = timedelta(days=1)
_LONGEST_NAME = 128


def register(demands: Iterable[Demand]) -> None:
    """Note when each gateway was last heard, by its own clock."""
    rows = [
        RegisteredGateway(
            name=one.gateway[:_LONGEST_NAME], seen_at=datetime.fromtimestamp(one.at_ms / 1000, UTC)
        )
        for one in demands
    ]
    with rls.everyone(because="publisher: heartbeats of gateways"):
        RegisteredGateway.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["name"], update_fields=["seen_at"]
        )
        newest = RegisteredGateway.objects.aggregate(at=Max("seen_at"))["at"]
        if newest is not None:
            RegisteredGateway.objects.filter(seen_at__lt=newest - _FORGET).delete()


def last_living() -> set[str]:
    """Those that lived when any was last heard. While Valkey is away none is, so that the
    duration of the outage says nothing about them."""
    with rls.everyone(because="publisher: gateways to wait for"):
        newest = RegisteredGateway.objects.aggregate(at=Max("seen_at"))["at"]
        if newest is None:
            return set()
        living = RegisteredGateway.objects.filter(seen_at__gte=newest - LAPSE)
        return set(living.values_list("name", flat=True))
