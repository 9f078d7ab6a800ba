"""Pages of the operator's console. ``paul`` is another of its people."""

from __future__ import annotations

from typing import Any

from portal.routing import deciding
from tenants import rls
from tenants.models import Proposal
from tests import factories
from tests.factories import CHAT, NOON
from tests.web.conftest import World
from tests.web.rows.row import Row

REASON = "요금이 석 달 밀렸습니다."


def firm(world: World) -> dict[str, Any]:
    return {"public_id": world.cast.firm.public_id}


def because(world: World) -> dict[str, Any]:
    return {"because": REASON}


def a_note(world: World) -> dict[str, Any]:
    return {"text": "전화로 확인했습니다."}


def a_quota(world: World) -> dict[str, Any]:
    return {"name": "live_keys", "most": "7", "because": REASON}


def proposed(world: World) -> Proposal:
    """To suspend mallory's firm, by paul; always one that is open."""
    operator = world.cast.olivia.may.organization
    with rls.everyone(because="test set-up"):
        found = Proposal.objects.filter(decision="open").first()
        if found is not None:
            return found
        number = Proposal.objects.count()
        paul = factories.member(factories.user(f"paul{number}@example.com", "박운영"), operator)
        return deciding.propose_suspension(
            organization=factories.organization(f"남의 회사 {number}", number=None),
            because=REASON,
            by=paul,
            now=NOON,
        )


def proposal_id(world: World) -> dict[str, Any]:
    return {"public_id": proposed(world).public_id}


def tokens(world: World) -> dict[str, Any]:
    return {"what": "tokens"}


def a_price(world: World) -> dict[str, Any]:
    prices = {"price_in": "70", "price_cached": "30", "price_out": "200"}
    return {"model": CHAT, "starts_on": "2026-12-01", "because": REASON, **prices}


STAFF = "sign-in found-one 403 403 403 403 403 200"
DEED = "sign-in found-one 403 403 403 403 403 away"

ROWS = [
    Row("customers", "GET", STAFF),
    Row("customer", "GET", STAFF, firm),
    Row("customer_suspend", "POST", DEED, firm, because),
    Row("customer_lift", "POST", DEED, firm, because),
    Row("customer_quota", "POST", DEED, firm, a_quota),
    Row("customer_note", "POST", DEED, firm, a_note),
    Row("customer_view", "POST", DEED, firm, because),
    Row("view_end", "POST", "sign-in found-one away away away away away away"),
    Row("proposals", "GET", STAFF),
    Row("proposal_approve", "POST", DEED, proposal_id),
    Row("proposal_reject", "POST", DEED, proposal_id, because),
    Row("prices", "GET", STAFF),
    Row("price_propose", "GET", STAFF, tokens),
    Row("price_propose", "POST", DEED, tokens, a_price),
]
