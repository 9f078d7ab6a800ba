"""Quotas: what alice's firm asks for, and the operator's answers."""

from __future__ import annotations

from typing import Any

from tenants import quotas, rls
from tenants.actions import quota_raises
from tenants.models import QuotaRaise
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row

STAFF = "sign-in found-one 403 403 403 403 403 200"


def a_raise(world: World) -> QuotaRaise:
    """One that is open."""
    with rls.tenant(world.cast.firm.pk):
        found = QuotaRaise.objects.filter(state="open").first()
        return found or quota_raises.ask(
            name="endpoints",
            to_most=quotas.most(world.cast.firm, "endpoints") + 1,
            because="학교마다 하나씩 씁니다.",
            by=world.cast.bob.may,
            now=NOON,
        )


def raise_id(world: World) -> dict[str, Any]:
    return {"public_id": a_raise(world).public_id}


def a_wish(world: World) -> dict[str, Any]:
    """Less than there is: a mistake in the form."""
    return {"name": "projects", "to_most": "1", "because": "학교마다 하나씩 씁니다."}


def a_decision(world: World) -> dict[str, Any]:
    return {"grant": "on", "most": "60", "because": "카드가 넉넉합니다."}


ROWS = [
    Row("quotas", "GET", MEMBERS),
    Row("quotas", "POST", "sign-in found-one 422 422 403 403 422 422", body=a_wish),
    Row("quota_withdraw", "POST", "sign-in found-one away away 403 403 404 404", raise_id),
    Row("quota_raises", "GET", STAFF),
    Row("quota_decide", "POST", "sign-in found-one 403 403 403 403 403 away", raise_id, a_decision),
]
