"""Pages of approvals: one request of bob's for a raise, and the rules."""

from __future__ import annotations

from typing import Any

from billing.models import ApprovalRequest
from tenants import rls
from tests import factories
from tests.billing.signing import request_of
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row


def an_approval(world: World) -> ApprovalRequest:
    """Bob asks for a higher limit of the firm; alice or carol signs."""
    with rls.tenant(world.cast.firm.pk):
        rows = ApprovalRequest.objects.filter(title=world.cast.firm.name)
        found = rows.filter(requested_by=world.cast.bob.user).first()
    return found or request_of(factories.budget_raise(world.budget, world.cast.bob.may))


def approval_id(world: World) -> dict[str, Any]:
    return {"public_id": an_approval(world).public_id}


def a_yes(world: World) -> dict[str, Any]:
    return {"word": "agree", "round": "1", "step": "1"}


OWN = "sign-in found-one away away away away 404 404"

ROWS = [
    Row("approvals", "GET", MEMBERS),
    Row("approval", "GET", "sign-in found-one 200 200 200 200 404 404", approval_id),
    Row(
        "approval_decide",
        "POST",
        "sign-in found-one away 403 away 403 404 404",
        approval_id,
        a_yes,
    ),
    # who may not is told on the page of the request
    Row("approval_withdraw", "POST", OWN, approval_id),
    Row("approval_again", "POST", OWN, approval_id),
    Row("approval_repeat", "POST", OWN, approval_id),
    Row("approval_rules", "GET", MEMBERS),
    Row("approval_rules_change", "GET", "sign-in found-one 200 403 403 403 200 200"),
    Row("approval_rules_change", "POST", "sign-in found-one 422 403 403 403 422 422"),
]
