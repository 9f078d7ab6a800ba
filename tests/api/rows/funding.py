"""Operations on funding sources, and on credit that is paid for in advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows import funding


def source(path: str = "") -> Callable[[World], str]:
    return lambda world: f"funding/sources/{funding.source_id(world)['public_id']}{path}"


def withdrawing(world: World) -> str:
    return f"funding/top-ups/{funding.topup_id(world)['public_id']}/withdraw"


def a_source(world: World) -> dict[str, Any]:
    days = {"starts": "2026-11-01", "last_day": "2026-11-30", "usable_until": "2026-12-31"}
    return {"kind": "voucher", "name": "AI 바우처", "cap_won": 5_000_000} | days


def up(world: World) -> dict[str, Any]:
    return {"to": "up"}


# alice bob carol dan | mallory olivia | key foreign-key
READS = "200 403 200 200 200 200 200 200"
OURS = "200 403 200 200 404 404 200 404"
CHANGES = "200 403 200 403 404 404 403 403"

ROWS = [
    Row("api_sources", "GET", at("funding/sources"), READS),
    Row(
        "api_sources",
        "POST",
        at("funding/sources"),
        "201 403 201 403 201 201 403 403",
        a_source,
    ),
    Row("api_source", "GET", source(), OURS),
    Row("api_source_end", "POST", source("/end"), CHANGES),
    Row("api_source_move", "POST", source("/move"), CHANGES, up),
    Row("api_source_evidence", "GET", source("/evidence"), OURS),
    Row("api_topups", "GET", at("funding/top-ups"), READS),
    Row(
        "api_topups",
        "POST",
        at("funding/top-ups"),
        "201 403 201 403 201 201 403 403",
        lambda world: {"won": 100_000},
    ),
    Row("api_topup_withdraw", "POST", withdrawing, CHANGES),
]
