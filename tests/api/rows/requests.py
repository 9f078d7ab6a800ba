"""Operations on answered requests."""

from __future__ import annotations

from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.requests import request_id


def entry(world: World) -> str:
    return f"requests/{request_id(world)['request_id']}"


ROWS = [
    Row("api_entries", "GET", at("requests"), ALL),
    Row("api_entry", "GET", entry, "200 200 200 200 404 404 200 404"),
]
