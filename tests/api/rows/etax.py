"""Operations on e-tax invoices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.lib import ids
from tests.api.rows.operator import because, staff
from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows.etax import REASON, a_document, fresh_id, rejected_id


def document(more: str = "") -> Callable[[World], str]:
    return lambda world: f"operator/etax/{a_document(world).public_id}{more}"


def fresh(more: str) -> Callable[[World], str]:
    return lambda world: f"operator/etax/{fresh_id(world)['public_id']}{more}"


def rejected(more: str) -> Callable[[World], str]:
    return lambda world: f"operator/etax/{rejected_id(world)['public_id']}{more}"


def an_approval(world: World) -> dict[str, Any]:
    return {"approval_number": f"20261116{ids.mint('a')[2:]}", "because": REASON}


def some_details(world: World) -> dict[str, Any]:
    return {"representative": "김서연"}


ROWS = [
    Row("api_etax_details", "GET", at("invoices/tax-details"), "200 403 200 200 200 200 200 200"),
    Row(
        "api_etax_details",
        "PUT",
        at("invoices/tax-details"),
        "200 403 200 403 200 200 403 403",
        some_details,
    ),
    Row(
        "api_invoice_etax", "GET", at("invoices/{invoice}/etax"), "200 403 200 200 404 404 200 404"
    ),
    Row("api_etax_documents", "GET", at("operator/etax"), staff(200)),
    Row("api_etax_document", "GET", document(), staff(200)),
    Row("api_etax_retry", "POST", document("/retry"), staff(200)),
    Row("api_etax_reissue", "POST", rejected("/reissue"), staff(200), because),
    Row("api_etax_elsewhere", "POST", fresh("/elsewhere"), staff(200), an_approval),
    Row("api_etax_waive", "POST", fresh("/waive"), staff(200), because),
]
