"""Operations on sites: their history for all, the rest for the operator's people."""

from __future__ import annotations

from typing import Any

from tests.api.rows.operator import staff
from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.operator import REASON


def a_condition(world: World) -> dict[str, Any]:
    return {"to": "cordoned", "because": REASON}


def a_bound(world: World) -> dict[str, Any]:
    return {"seconds": 900, "because": REASON}


ROWS = [
    Row("api_site_history", "GET", at("sites/{site}/history"), ALL),
    Row("api_fleet", "GET", at("operator/sites"), staff(200)),
    Row("api_fleet_site", "GET", at("operator/sites/{site}"), staff(200)),
    Row(
        "api_site_condition",
        "POST",
        at("operator/sites/{site}/condition"),
        staff(200),
        a_condition,
    ),
    Row(
        "api_site_lost_after",
        "PUT",
        at("operator/sites/{site}/lost-after"),
        staff(200),
        a_bound,
    ),
]
