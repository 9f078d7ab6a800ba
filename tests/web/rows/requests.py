"""Pages of answered requests. The world's newest one is of alice's firm."""

from __future__ import annotations

from typing import Any

from portal.usage.models import LedgerEntry
from tenants import rls
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row


def request_id(world: World) -> dict[str, Any]:
    with rls.tenant(world.cast.firm.pk):
        newest = LedgerEntry.objects.filter(project=world.cast.project.public_id)
        return {"request_id": newest.latest("admitted_at").request_id}


ROWS = [
    Row("requests", "GET", MEMBERS),
    Row("requests_csv", "GET", MEMBERS),
    Row("request", "GET", "sign-in found-one 200 200 200 200 404 404", request_id),
]
