"""Pages of prices and agreements."""

from __future__ import annotations

from datetime import date
from typing import Any

from billing.agreements import Line
from billing.models import Agreement
from portal.lib import ids
from tenants import rls
from tests import factories
from tests.billing import agreeing
from tests.factories import CHAT
from tests.web.conftest import World
from tests.web.rows.operator import DEED, REASON, STAFF, firm
from tests.web.rows.row import ANYBODY, Row

FEE = Line("fee", "전담 지원", {"won": 100000})


def an_agreement(world: World) -> Agreement:
    """The first of mallory's firm, or a new one."""
    with rls.everyone(because="test"):
        found = Agreement.objects.order_by("pk").first()
    if found is not None:
        return found
    name = f"{ids.mint('second')}@example.com"
    second = factories.member(factories.user(name, "이둘째"), world.cast.olivia.may.organization)
    of = world.cast.mallory.may.organization
    return agreeing.agree(world.cast, second, FEE, of=of)


def agreement_id(world: World) -> dict[str, Any]:
    return {"public_id": an_agreement(world).public_id}


def tokens(world: World) -> dict[str, Any]:
    return {"what": "tokens"}


def an_end(world: World) -> dict[str, Any]:
    return {"ends_on": "2026-12-24", "because": REASON}


def a_wish(world: World) -> dict[str, Any]:
    return {
        "reference": "계약 17",
        "starts_on": "2026-12-01",
        "ends_on": date(2027, 12, 1).isoformat(),
        "because": REASON,
        "line-TOTAL_FORMS": "1",
        "line-INITIAL_FORMS": "0",
        "line-0-shape": "tokens_off",
        "line-0-item": CHAT,
        "line-0-value": "10",
    }


ROWS = [
    Row("price_list", "GET", ANYBODY),
    Row("price_estimate", "GET", ANYBODY),
    Row("agreements", "GET", "sign-in found-one 200 403 200 200 200 200"),
    Row("price_preview", "GET", STAFF, tokens),
    Row("operator_agreements", "GET", STAFF),
    Row("operator_agreement", "GET", STAFF, agreement_id),
    Row("operator_agreement_end", "POST", DEED, agreement_id, an_end),
    Row("operator_agreement_new", "GET", STAFF, firm),
    Row("operator_agreement_new", "POST", DEED, firm, a_wish),
]
