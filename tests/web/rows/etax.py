"""Pages of e-tax invoices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from billing.etax import preparing
from billing.models import EtaxDocument, EtaxState, Invoice
from portal.lib import ids
from tenants import rls
from tests import factories
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.operator import DEED, REASON, STAFF, because, firm
from tests.web.rows.row import Row


def a_document(world: World) -> EtaxDocument:
    """Of the world's invoice: blocked, since its firm has no details yet."""
    with rls.everyone(because="test set-up"):
        known = EtaxDocument.objects.filter(source=world.invoice.public_id).first()
    found = known or preparing.prepare(world.invoice, now=NOON)
    assert found is not None
    return found


def document_id(world: World) -> dict[str, Any]:
    return {"public_id": a_document(world).public_id}


def _fresh(world: World, **columns: Any) -> EtaxDocument:
    """One more, of another organization; the deeds change it, so each gets its own."""
    number = ids.mint("n")[2:10]
    other = factories.organization(f"남의 단체 {number}", number=None)
    with rls.everyone(because="test set-up"):
        invoice = Invoice.objects.get(pk=world.invoice.pk)
        invoice.pk, invoice.public_id, invoice.number = None, ids.mint("inv"), f"T-{number}"
        invoice.organization, invoice.issued_at = other, NOON - timedelta(minutes=1)
        invoice.buyer = {**invoice.buyer, "business_number": ""}
        invoice.save(force_insert=True)
    made = preparing.prepare(invoice, now=NOON)
    assert made is not None
    with rls.everyone(because="test set-up"):
        EtaxDocument.objects.filter(pk=made.pk).update(**columns)
    return made


def fresh_id(world: World) -> dict[str, Any]:
    return {"public_id": _fresh(world).public_id}


def rejected_id(world: World) -> dict[str, Any]:
    return {"public_id": _fresh(world, state=EtaxState.REJECTED).public_id}


def an_approval(world: World) -> dict[str, Any]:
    return {"approval": f"20261116{ids.mint('a')[2:]}", "because": REASON}


def some_details(world: World) -> dict[str, Any]:
    return {"representative": "김서연", "trade": "제조업"}


def exempt(world: World) -> dict[str, Any]:
    return {"tax": "exempt", "because": REASON}


READERS = "sign-in found-one 200 403 200 200 200 200"
ROWS = [
    Row("etax_details", "GET", READERS),
    Row("etax_details", "POST", "sign-in found-one away 403 away 403 away away", body=some_details),
    Row("etax_documents", "GET", STAFF),
    Row("etax_csv", "GET", STAFF),
    Row("etax_document", "GET", STAFF, document_id),
    Row("etax_retry", "POST", DEED, document_id),
    Row("etax_reissue", "POST", DEED, rejected_id, because),
    Row("etax_elsewhere", "POST", DEED, fresh_id, an_approval),
    Row("etax_waive", "POST", DEED, fresh_id, because),
    Row("etax_tax_kind", "POST", DEED, firm, exempt),
]
