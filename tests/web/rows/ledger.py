"""What a line of an invoice is made of."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import World
from tests.web.rows.row import Row


def line_of(world: World) -> dict[str, Any]:
    return {"public_id": world.invoice.public_id, "position": 1}


def the_day(world: World) -> dict[str, Any]:
    return {"day": "2026-11-16"}


ROWS = [
    Row("invoice_line", "GET", "sign-in found-one 200 403 200 200 404 404", line_of),
    Row("invoice_line", "GET", "sign-in found-one 200 403 200 200 404 404", line_of, the_day),
]
