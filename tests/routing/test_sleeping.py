"""What the table says of endpoints that run when they are asked, or at their hours."""

from __future__ import annotations

from datetime import timedelta

from portal.deployments.models import Endpoint, Scaling, Schedule
from portal.routing import snapshot
from tenants import rls
from tests.factories import NOON
from tests.routing.conftest import Rows


def test_says_when_a_closed_endpoint_opens_and_what_waking_takes(rows: Rows) -> None:
    opens = NOON + timedelta(hours=21)
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=rows.own.pk).update(asleep_since=NOON)
        Scaling.objects.create(
            endpoint=rows.own, organization=rows.firm, used_at=NOON, ready_seconds=42
        )
        Schedule.objects.create(
            endpoint=rows.own, organization=rows.firm, hours={}, state="closed", changes_at=opens
        )
    asleep = snapshot.take(now=NOON, demands=[]).routes[rows.own.public_id]
    assert (asleep.asleep, asleep.wakes_in_seconds, asleep.opens_at_ms) == (True, 42, 0)
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=rows.own.pk).update(paused_at=NOON)

    closed = snapshot.take(now=NOON, demands=[]).routes[rows.own.public_id]

    assert (closed.asleep, closed.opens_at_ms) == (False, int(opens.timestamp() * 1000))
