"""Pages of payments: a customer's own, and the operator's bank and receivables."""

from __future__ import annotations

from typing import Any

from billing.models import BankLine, CardCharge, CardOnFile, Payment, Refund, Source
from billing.payments import bookings, deposits, statements
from billing.payments.bookings import Receipt
from portal.lib import ids
from tenants import actors, rls
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.operator import DEED, REASON, STAFF
from tests.web.rows.row import Row

HEAD = "거래일시,입금액,보내는분\n"


def paid(world: World) -> Payment:
    """A transfer of alice's firm that is credit."""
    firm = world.cast.firm
    receipt = Receipt(Source.BANK, ids.mint("dep"), 900_000_000, NOON, payer="한빛정밀")
    by = actors.system(firm, "test")
    return bookings.receive(organization=firm, receipt=receipt, by=by, now=NOON)


def payment_id(world: World) -> dict[str, Any]:
    return {"public_id": paid(world).public_id}


def a_card(world: World) -> CardOnFile:
    """One that alice's firm has asked for and not added."""
    with rls.tenant(world.cast.firm.pk):
        return CardOnFile.objects.create(
            public_id=ids.mint("card"),
            organization=world.cast.firm,
            provider="stripe",
            customer="cus_1",
            setup=ids.mint("cs"),
            asked_at=NOON,
        )


def card_id(world: World) -> dict[str, Any]:
    return {"public_id": a_card(world).public_id}


def charge_id(world: World) -> dict[str, Any]:
    """A charge that was refused."""
    with rls.tenant(world.cast.firm.pk):
        charge = CardCharge.objects.create(
            public_id=ids.mint("chg"),
            organization=world.cast.firm,
            invoice=world.invoice,
            card=a_card(world),
            won=5,
            state="failed",
            made_at=NOON,
            due_at=NOON,
        )
        return {"public_id": charge.public_id}


def invoice_id(world: World) -> dict[str, Any]:
    return {"public_id": world.invoice.public_id}


def statement(world: World) -> statements.BankStatement:
    """A file with one deposit of nobody."""
    raw = f"{HEAD}2026-11-16 09:00,1000,{ids.mint('x')}".encode()
    with rls.everyone(because="test set-up"):
        return statements.hand_in(name="s.csv", raw=raw, by=world.cast.olivia.may, now=NOON)


def statement_id(world: World) -> dict[str, Any]:
    return {"public_id": statement(world).public_id}


def a_deposit(world: World) -> BankLine:
    """One that waits."""
    found = statement(world)
    with rls.everyone(because="test set-up"):
        statements.book(statement=found, by=world.cast.olivia.may, now=NOON)
        return BankLine.objects.get(statement=found)


def deposit_id(world: World) -> dict[str, Any]:
    return {"public_id": a_deposit(world).public_id}


def placed_id(world: World) -> dict[str, Any]:
    """A deposit that was set aside."""
    line = a_deposit(world)
    with rls.everyone(because="test set-up"):
        deposits.set_aside(
            line=line,
            to=deposits.LineState.RETURNED,
            because=REASON,
            by=world.cast.olivia.may,
            now=NOON,
        )
    return {"public_id": line.public_id}


def refund_id(world: World) -> dict[str, Any]:
    payment = paid(world)
    with rls.tenant(world.cast.firm.pk):
        refund = Refund.objects.create(
            public_id=ids.mint("ref"),
            organization=world.cast.firm,
            payment=payment,
            won=5,
            because=REASON,
            decided_at=NOON,
            due_at=NOON,
        )
        return {"public_id": refund.public_id}


def for_the_firm(world: World) -> dict[str, Any]:
    return {"organization": world.cast.firm.public_id}


def an_account(world: World) -> dict[str, Any]:
    return for_the_firm(world) | {"bank": "한강은행", "number": "999-1234-5678"}


def set_aside(world: World) -> dict[str, Any]:
    return {"to": "payout", "because": REASON}


def because(world: World) -> dict[str, Any]:
    return {"because": REASON}


def a_refund(world: World) -> dict[str, Any]:
    return {"won": "5", "because": REASON}


def a_reference(world: World) -> dict[str, Any]:
    return {"reference": "이체 12"}


# alice bob carol dan | mallory olivia: their own pages everybody but developers; what pays,
# owners, administrators and budget officers. Cards are not taken in the tests: back to the list.
OWN = "sign-in found-one 200 403 200 200 200 200"
OURS = "sign-in found-one 200 403 200 200 404 404"
PAYS = "sign-in found-one away 403 away 403 away away"
PAYS_OURS = "sign-in found-one away 403 away 403 404 404"
COMES_BACK = "sign-in found-one 404 403 404 403 404 404"

ROWS = [
    Row("payments", "GET", OWN),
    Row("payments_csv", "GET", OWN),
    Row("payment", "GET", OURS, payment_id),
    Row("card_add", "POST", PAYS),
    Row("card_back", "GET", COMES_BACK),
    Row("card_remove", "POST", PAYS_OURS, card_id),
    Row("invoice_pay", "POST", PAYS_OURS, invoice_id),
    Row("charge", "GET", OURS, charge_id),
    Row("charge_confirm", "POST", PAYS_OURS, charge_id),
    Row("receivables", "GET", STAFF),
    Row("revenue", "GET", STAFF),
    Row("revenue_xlsx", "GET", STAFF),
    Row("virtual_account", "POST", DEED, body=an_account),
    Row("incoming", "GET", STAFF),
    Row("refund", "POST", DEED, payment_id, a_refund),
    Row("refund_paid", "POST", DEED, refund_id, a_reference),
    Row("disputes", "GET", STAFF),
    Row("statements", "GET", STAFF),
    Row("statements", "POST", "sign-in found-one 403 403 403 403 403 422"),
    Row("statement", "GET", STAFF, statement_id),
    Row("statement_book", "POST", DEED, statement_id),
    Row("deposits", "GET", STAFF),
    Row("deposit_place", "POST", DEED, deposit_id, for_the_firm),
    Row("deposit_aside", "POST", DEED, deposit_id, set_aside),
    Row("deposit_undo", "POST", DEED, placed_id, because),
]
