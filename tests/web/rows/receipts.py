"""Pages of receipts."""

from __future__ import annotations

from typing import Any

from portal.usage.models import LedgerEntry
from tenants import rls
from tests.web.conftest import World
from tests.web.rows.row import ANYBODY, Row


def request_id(world: World) -> dict[str, Any]:
    """The firm's latest request; nobody has asked for its receipt."""
    with rls.tenant(world.cast.firm.pk):
        latest = LedgerEntry.objects.order_by("-admitted_at")[0]
    return {"request_id": str(latest.request_id)}


def no_receipt(world: World) -> dict[str, Any]:
    return {"receipt": "eyJ9.e30.AAAA"}


ROWS = [
    Row("receipt_keys", "GET", ANYBODY),
    Row("receipt_verify", "GET", ANYBODY),
    Row("receipt_verify", "POST", ANYBODY, body=no_receipt),
    Row("receipt", "GET", "sign-in found-one 200 200 200 200 404 404", request_id),
]
