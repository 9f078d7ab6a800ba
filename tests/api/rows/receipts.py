"""Operations on receipts."""

from __future__ import annotations

from tests.api.rows.row import Row
from tests.web.conftest import World
from tests.web.rows.receipts import request_id


def receipt(world: World) -> str:
    return f"receipts/{request_id(world)['request_id']}"


ROWS = [Row("api_receipt", "GET", receipt, "200 200 200 200 404 404 200 404")]
