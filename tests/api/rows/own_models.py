"""Operations on own models: one of alice's firm that was refused."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import ALL, Row, at
from tests.factories import CHAT
from tests.web.conftest import World
from tests.web.rows.own_models import an_own_model


def own_model(world: World) -> str:
    return f"own-models/{an_own_model(world).public_id}"


def check(world: World) -> str:
    return f"own-models/{an_own_model(world).public_id}/check"


def a_registration(world: World) -> dict[str, Any]:
    """No place is allowed: refused."""
    return {
        "name": "상담",
        "base": CHAT,
        "location": "https://models.example.kr/m.json",
        "digest": "sha256:" + "0" * 64,
        "licence_confirmed": True,
    }


ROWS = [
    Row("api_own_models", "GET", at("own-models"), ALL),
    Row(
        "api_own_models",
        "POST",
        at("own-models"),
        "422 422 403 403 422 422 422 422",
        a_registration,
    ),
    Row("api_own_model", "GET", own_model, "200 200 200 200 404 404 200 404"),
    Row("api_own_model", "DELETE", own_model, "200 200 403 403 404 404 200 404"),
    Row("api_own_model_check", "POST", check, "200 200 403 403 404 404 200 404"),
]
