"""Operations on quotas."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.quotas import a_raise


def one(world: World) -> str:
    return f"quota-raises/{a_raise(world).public_id}"


def decision(world: World) -> str:
    return f"{one(world)}/decision"


def too_little(world: World) -> dict[str, Any]:
    return {"name": "projects", "to_most": 1, "because": "학교마다 하나씩 씁니다."}


def a_decision(world: World) -> dict[str, Any]:
    return {"grant": True, "because": "카드가 넉넉합니다."}


ROWS = [
    Row("api_quotas", "GET", at("quotas"), ALL),
    Row("api_quota_raises", "GET", at("quota-raises"), ALL),
    Row(
        "api_quota_raises",
        "POST",
        at("quota-raises"),
        "422 422 403 403 422 422 422 422",
        too_little,
    ),
    Row("api_quota_raise", "DELETE", one, "204 204 403 403 404 404 204 404"),
    Row("api_quota_decision", "POST", decision, "403 403 403 403 403 200 403 403", a_decision),
]
