"""Operations on approvals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing.approvals import matrices
from billing.approvals.matrix import to_json
from tenants import rls
from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows.approvals import an_approval


def request(rest: str = "") -> Callable[[World], str]:
    return lambda world: f"approvals/{an_approval(world).public_id}{rest}"


def a_yes(world: World) -> dict[str, Any]:
    return {"agrees": True, "round": 1, "step": 1}


def the_same(world: World) -> dict[str, Any]:
    """The rules that hold: refused as no change."""
    with rls.tenant(world.cast.firm.pk):
        held = matrices.holding(world.cast.firm)
    return {"rules": to_json(held.matrix), "version": held.version, "because": "그대로 둡니다"}


# alice bob carol dan | mallory olivia | key foreign-key
READ = "200 200 200 200 200 200 403 403"
ONE = "200 200 200 200 404 404 403 403"

ROWS = [
    Row("api_approvals", "GET", at("approvals"), READ),
    Row("api_approval", "GET", request(), ONE),
    # the second signature comes too late; programs sign nothing
    Row(
        "api_approval_decision",
        "POST",
        request("/decision"),
        "200 403 409 403 404 404 403 403",
        a_yes,
    ),
    # by then it is carried out
    Row(
        "api_approval_withdrawal",
        "POST",
        request("/withdrawal"),
        "200 200 403 403 404 404 403 403",
    ),
    Row("api_approval_round", "POST", request("/round"), "403 409 403 403 404 404 403 403"),
    Row("api_approval_attempt", "POST", request("/attempt"), "409 409 409 403 404 404 403 403"),
    Row("api_approval_rules", "GET", at("approval-rules"), READ),
    Row(
        "api_approval_rules",
        "PUT",
        at("approval-rules"),
        "422 403 403 403 422 422 403 403",
        the_same,
    ),
    Row("api_approval_rules_versions", "GET", at("approval-rules/versions"), READ),
    Row(
        "api_approval_trial",
        "GET",
        at("approval-rules/trial?kind=order&amount_won=7000000"),
        READ,
    ),
]
