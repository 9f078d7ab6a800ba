"""Operations on wishes that wait for room."""

from __future__ import annotations

from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.watches import a_watch, a_wish


def watch(world: World) -> str:
    return f"capacity-watches/{a_watch(world).public_id}"


ROWS = [
    Row("api_capacity_watches", "GET", at("capacity-watches"), ALL),
    Row(
        "api_capacity_watches",
        "POST",
        at("capacity-watches"),
        "201 201 403 403 422 422 201 422",
        a_wish,
    ),
    Row("api_capacity_watch", "GET", watch, "200 200 200 200 404 404 200 404"),
    Row("api_capacity_watch", "DELETE", watch, "204 204 403 403 404 404 204 404"),
]
