"""Operations of the operator's console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.rows.row import Row, at
from tests.factories import CHAT
from tests.web.conftest import World
from tests.web.rows.operator import REASON, proposed

ONLY_STAFF = "403 403 403 403 403 {} 403 403"


def customer(more: str = "") -> Callable[[World], str]:
    return lambda world: f"operator/customers/{world.cast.firm.public_id}{more}"


def proposal(deed: str) -> Callable[[World], str]:
    return lambda world: f"operator/proposals/{proposed(world).public_id}/{deed}"


def because(world: World) -> dict[str, Any]:
    return {"because": REASON}


def a_quota(world: World) -> dict[str, Any]:
    return {"name": "live_keys", "most": 7, "because": REASON}


def a_price(world: World) -> dict[str, Any]:
    prices = {"price_in": "70", "price_cached": "30", "price_out": "200"}
    return {"model": CHAT, "starts_on": "2026-12-01", "because": REASON, **prices}


def a_card_price(world: World) -> dict[str, Any]:
    return {
        "chip": "rngd",
        "won_per_hour": "1500",
        "starts_on": "2026-12-01",
        "because": REASON,
    }


def staff(status: int) -> str:
    return ONLY_STAFF.format(status)


ROWS = [
    Row("api_customers", "GET", at("operator/customers"), staff(200)),
    Row("api_customer", "GET", customer(), staff(200)),
    Row("api_suspension", "POST", customer("/suspension"), staff(202), because),
    Row("api_suspension", "DELETE", customer("/suspension"), staff(409), because),
    Row("api_quotas", "GET", customer("/quotas"), staff(200)),
    Row("api_quotas", "PUT", customer("/quotas"), staff(200), a_quota),
    Row("api_notes", "GET", customer("/notes"), staff(200)),
    Row("api_notes", "POST", customer("/notes"), staff(201), lambda world: {"text": REASON}),
    Row("api_proposals", "GET", at("operator/proposals"), staff(200)),
    Row("api_proposal_approval", "POST", proposal("approve"), staff(200)),
    Row("api_rejection", "POST", proposal("reject"), staff(200), because),
    Row("api_token_prices", "GET", at("operator/prices/tokens"), staff(200)),
    Row("api_token_prices", "POST", at("operator/prices/tokens"), staff(202), a_price),
    Row("api_card_prices", "GET", at("operator/prices/cards"), staff(200)),
    Row("api_card_prices", "POST", at("operator/prices/cards"), staff(202), a_card_price),
]
