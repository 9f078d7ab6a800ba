"""Operations on offerings."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.offerings import a_figure, a_form, a_move, an_offering, lapsed

STAFF = "403 403 403 403 403 200 403 403"


def offering(world: World) -> str:
    return f"operator/offerings/{an_offering(world).public_id}"


def at_site(world: World) -> str:
    found = lapsed(world)
    return f"operator/offerings/{found['public_id']}/sites/{found['code']}"


def a_check(world: World) -> dict[str, Any]:
    return {"works": True, "because": "다시 돌려 보았습니다."}


ROWS = [
    Row("api_model_offerings", "GET", at("models/{model}/offerings"), ALL),
    Row("api_offerings", "GET", at("offerings?base=sha256:" + "a" * 64), ALL),
    Row("api_operator_offerings", "GET", at("operator/offerings"), STAFF),
    Row("api_operator_offering", "GET", offering, STAFF),
    Row(
        "api_offering_evidence", "POST", lambda world: f"{offering(world)}/evidence", STAFF, a_move
    ),
    Row("api_offering_form", "POST", lambda world: f"{offering(world)}/form", STAFF, a_form),
    Row(
        "api_offering_figures", "POST", lambda world: f"{offering(world)}/figures", STAFF, a_figure
    ),
    Row("api_offering_verification", "POST", at_site, STAFF, a_check),
]
