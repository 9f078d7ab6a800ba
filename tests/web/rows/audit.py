"""Pages of the audit log."""

from __future__ import annotations

from typing import Any

from tenants import rls
from tenants.models import AuditEvent
from tests.web.conftest import World
from tests.web.rows.row import Row


def event_id(world: World) -> dict[str, Any]:
    with rls.tenant(world.cast.firm.pk):
        return {"public_id": AuditEvent.objects.filter(verb="key.create")[0].public_id}


def months(world: World) -> dict[str, Any]:
    return {"access_months": "30", "rights_months": "36", "other_months": "12"}


ROWS = [
    Row("audit", "GET", "sign-in found-one 200 403 403 200 200 200"),
    Row("audit_event", "GET", "sign-in found-one 200 403 403 200 404 404", event_id),
    Row("audit_export", "GET", "sign-in found-one 200 403 403 200 200 200"),
    Row("audit_retention", "GET", "sign-in found-one 200 403 403 403 200 200"),
    Row("audit_retention", "POST", "sign-in found-one away 403 403 403 away away", body=months),
]
