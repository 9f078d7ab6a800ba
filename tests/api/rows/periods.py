"""Operations on budgets: one of them, new ones, and asking for a higher limit."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World


def of_the_year(world: World) -> dict[str, Any]:
    return {
        "scope": "organization",
        "subject": world.cast.firm.public_id,
        "period": "year",
        "limit_won": 500_000_000,
    }


def more(world: World) -> dict[str, Any]:
    return {"to_won": 300_000_000, "because": "12월 견적 집중"}


ROWS = [
    Row("api_budgets", "POST", at("budgets"), "201 403 409 403 422 422 403 403", of_the_year),
    Row("api_budget", "GET", at("budgets/{budget}"), "200 200 200 200 404 404 404 404"),
    Row("api_budget", "DELETE", at("budgets/{budget}"), "409 403 409 403 404 404 403 403"),
    Row(
        "api_budget_raises",
        "POST",
        at("budgets/{budget}/raises"),
        "201 201 201 403 404 404 403 403",
        more,
    ),
    Row("api_raises", "GET", at("raises"), ALL),
]
