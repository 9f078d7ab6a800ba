"""Pages of booked drills: one of alice's endpoint, which stands at one site only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from portal.deployments.models import Drill
from portal.lib import ids
from tenants import rls
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.row import Row, endpoint_id


def a_drill(world: World) -> Drill:
    """Booked when the endpoint stood at two; a new one where it was cancelled."""
    with rls.tenant(world.cast.firm.pk):
        found = Drill.objects.filter(state="booked").first()
        return found or Drill.objects.create(
            public_id=ids.mint("drl"),
            organization=world.cast.firm,
            endpoint=world.endpoint,
            site=world.site,
            starts_at=NOON + timedelta(hours=1),
            ends_at=NOON + timedelta(hours=2),
            booked_at=NOON,
            booked_by="박도현",
        )


def drill_id(world: World) -> dict[str, Any]:
    return {"public_id": a_drill(world).public_id}


def a_window(world: World) -> dict[str, Any]:
    """At the only site of the endpoint: refused."""
    return {"site": world.site.code, "day": "2026-11-17", "at": "09:00", "minutes": "30"}


ONE = "sign-in found-one 200 200 200 200 404 404"
ROWS = [
    Row("drills", "GET", ONE, endpoint_id),
    Row("drills", "POST", "sign-in found-one 422 422 403 403 404 404", endpoint_id, a_window),
    Row("drill", "GET", ONE, drill_id),
    Row("drill_end", "POST", "sign-in found-one away away 403 403 404 404", drill_id),
    # there is no report yet: 404 for everybody who may ask
    Row("drill_report", "GET", "sign-in found-one 404 404 404 404 404 404", drill_id),
]
