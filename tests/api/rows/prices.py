"""Operations on prices, estimates and agreements."""

from __future__ import annotations

from typing import Any

from tests.api.rows.operator import REASON, staff
from tests.api.rows.row import ALL, Row, at
from tests.factories import CHAT
from tests.web.conftest import World
from tests.web.rows.prices import an_agreement


def a_question(world: World) -> dict[str, Any]:
    return {"model": CHAT}


def a_storage_price(world: World) -> dict[str, Any]:
    return {"won_per_gb_day": "3.5", "starts_on": "2026-12-01", "because": REASON}


def a_term(world: World) -> dict[str, Any]:
    value = {"off": "50"}
    return {
        "kind": "batch",
        "item": "*",
        "value": value,
        "starts_on": "2026-12-01",
        "because": REASON,
    }


def an_agreement_body(world: World) -> dict[str, Any]:
    return {
        "organization": world.cast.firm.public_id,
        "reference": "계약 17",
        "starts_on": "2026-12-01",
        "lines": [{"kind": "tokens", "item": CHAT, "value": {"off": "10"}}],
        "because": REASON,
    }


def ending(world: World) -> str:
    return f"operator/agreements/{an_agreement(world).public_id}/end"


def an_end(world: World) -> dict[str, Any]:
    return {"ends_on": "2026-12-24", "because": REASON}


ROWS = [
    Row("api_price_list", "GET", at("prices"), ALL, without="200 200 200"),
    Row("api_estimates", "POST", at("estimates"), ALL, a_question),
    Row("api_agreements", "GET", at("agreements"), "200 403 200 200 200 200 200 200"),
    Row("api_storage_prices", "GET", at("operator/prices/storage"), staff(200)),
    Row("api_storage_prices", "POST", at("operator/prices/storage"), staff(202), a_storage_price),
    Row("api_price_terms", "GET", at("operator/prices/terms"), staff(200)),
    Row("api_price_terms", "POST", at("operator/prices/terms"), staff(202), a_term),
    Row("api_operator_agreements", "GET", at("operator/agreements"), staff(200)),
    Row(
        "api_operator_agreements",
        "POST",
        at("operator/agreements"),
        staff(202),
        an_agreement_body,
    ),
    Row("api_agreement_end", "POST", ending, staff(202), an_end),
]
