"""Pages of budgets: one of them, new ones, and asking for a higher limit."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row, a_limit

CHANGE = "sign-in found-one 200 403 200 403 404 404"
CHANGED = "sign-in found-one away 403 away 403 404 404"
REFUSED = "sign-in found-one 422 403 422 403 404 404"


def budget_id(world: World) -> dict[str, Any]:
    return {"public_id": world.budget.public_id}


def below_nothing(world: World) -> dict[str, Any]:
    return {"limit_won": "-1"}


def a_reason(world: World) -> dict[str, Any]:
    return {"because": "이유가 있습니다"}


def more(world: World) -> dict[str, Any]:
    return {"to_won": "300000000", "because": "12월 견적 집중"}


def settings(world: World) -> dict[str, Any]:
    return {"hard": "on", "thresholds": "50, 90"}


ROWS = [
    Row("budget_csv", "GET", MEMBERS),
    Row("budget_new", "GET", "sign-in found-one 200 403 200 403 200 200"),
    Row("budget_new", "POST", "sign-in found-one 422 403 422 403 422 422", body=below_nothing),
    Row("budget_ask", "GET", "sign-in found-one 200 200 200 403 404 404", budget_id),
    Row("budget_ask", "POST", "sign-in found-one away away away 403 404 404", budget_id, more),
    Row("budget_change", "GET", CHANGE, budget_id),
    Row("budget_change", "POST", CHANGED, budget_id, a_limit),
    Row("budget_end", "GET", CHANGE, budget_id),
    Row("budget_end", "POST", REFUSED, budget_id, a_reason),  # the organization's last one
    Row("budget_settings", "GET", CHANGE, budget_id),
    Row("budget_settings", "POST", CHANGED, budget_id, settings),
]
