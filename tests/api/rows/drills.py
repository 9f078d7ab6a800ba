"""Operations on booked drills. The table's endpoint stands at one site: that is the answer."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows.drills import a_drill


def drill(world: World) -> str:
    return f"drills/{a_drill(world).public_id}"


def report(world: World) -> str:
    return f"drills/{a_drill(world).public_id}/report"


def a_window(world: World) -> dict[str, Any]:
    return {
        "site": world.site.code,
        "starts_at": "2026-11-17T09:00:00+09:00",
        "ends_at": "2026-11-17T09:30:00+09:00",
    }


ROWS = [
    Row(
        "api_endpoint_drills",
        "GET",
        at("endpoints/{endpoint}/drills"),
        "200 200 200 200 404 404 200 404",
    ),
    Row(
        "api_endpoint_drills",
        "POST",
        at("endpoints/{endpoint}/drills"),
        "409 409 403 403 404 404 409 404",
        a_window,
    ),
    Row("api_drill", "GET", drill, "200 200 200 200 404 404 200 404"),
    Row("api_drill", "DELETE", drill, "200 200 403 403 404 404 200 404"),
    Row("api_drill_report", "GET", report, "404 404 404 404 404 404 404 404"),
]
