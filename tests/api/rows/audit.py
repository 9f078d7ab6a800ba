"""Operations on the audit log."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows.audit import event_id


def event(world: World) -> str:
    return f"audit/{event_id(world)['public_id']}"


def months(world: World) -> dict[str, Any]:
    return {"access_months": 30, "rights_months": 36, "other_months": 12}


MAY_READ = "200 403 403 200 200 200 403 403"

ROWS = [
    Row("api_audit", "GET", at("audit"), MAY_READ),
    Row("api_audit_event", "GET", event, "200 403 403 200 404 404 403 403"),
    Row("api_audit_export", "GET", at("audit/export"), MAY_READ),
    Row("api_audit_chain", "GET", at("audit/chain"), MAY_READ),
    Row("api_audit_retention", "GET", at("audit/retention"), MAY_READ),
    Row(
        "api_audit_retention",
        "PUT",
        at("audit/retention"),
        "200 403 403 403 200 200 403 403",
        months,
    ),
]
