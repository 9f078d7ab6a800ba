"""Pages of funding sources, and of credit that is paid for in advance."""

from __future__ import annotations

from typing import Any

from billing.funding import prepaid
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.row import Row


def source_id(world: World) -> dict[str, Any]:
    """A voucher of alice's firm."""
    with rls.tenant(world.cast.firm.pk):
        source = factories.funding_source(world.cast.carol.may)
    return {"public_id": source.public_id}


def topup_id(world: World) -> dict[str, Any]:
    """A wish that waits."""
    with rls.tenant(world.cast.firm.pk):
        wish = prepaid.ask(won=100_000, by=world.cast.carol.may, now=NOON)
    return {"public_id": wish.public_id}


def below_nothing(world: World) -> dict[str, Any]:
    return {"cap_won": "-1", "won": "-1"}


def up(world: World) -> dict[str, Any]:
    return {"to": "up"}


# alice bob carol dan | mallory olivia: everybody but developers read, who may change budgets
# changes, who may pay pays
READS = "sign-in found-one 200 403 200 200 200 200"
OURS = "sign-in found-one 200 403 200 200 404 404"
CHANGES = "sign-in found-one away 403 away 403 404 404"

ROWS = [
    Row("funding", "GET", READS),
    Row("funding_new", "GET", "sign-in found-one 200 403 200 403 200 200"),
    Row("funding_new", "POST", "sign-in found-one 422 403 422 403 422 422", body=below_nothing),
    Row("funding_source", "GET", OURS, source_id),
    Row("funding_statement", "GET", OURS, source_id),
    Row("funding_evidence", "GET", OURS, source_id),
    Row("funding_end", "POST", CHANGES, source_id),
    Row("funding_move", "POST", CHANGES, source_id, up),
    Row("topup", "POST", "sign-in found-one 422 403 422 403 422 422", body=below_nothing),
    Row("topup_withdraw", "POST", CHANGES, topup_id),
    Row("topup_pay", "POST", CHANGES, topup_id),
]
