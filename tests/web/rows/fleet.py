"""Pages of the operator's sites."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import World
from tests.web.rows.operator import DEED, REASON, STAFF
from tests.web.rows.row import Row, a_site


def a_condition(world: World) -> dict[str, Any]:
    return {"to": "cordoned", "because": REASON}


def a_bound(world: World) -> dict[str, Any]:
    return {"minutes": "15", "because": REASON}


ROWS = [
    Row("fleet", "GET", STAFF),
    Row("fleet_site", "GET", STAFF, a_site),
    Row("fleet_condition", "POST", DEED, a_site, a_condition),
    Row("fleet_lost_after", "POST", DEED, a_site, a_bound),
]
