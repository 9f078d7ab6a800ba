"""A credit note is told to the tax service, once, without anybody asking for it."""

from __future__ import annotations

import pytest

from billing import credit_notes
from billing.etax import credited
from billing.models import CreditNote, EtaxDocument, Invoice
from tenants import rls
from tests import factories
from tests.billing.etax.conftest import Desk, make_invoice
from tests.cast import Cast


@pytest.fixture
def invoice(desk: Desk) -> Invoice:
    made = make_invoice(desk.cast.firm)
    for _ in range(9):
        desk.work(minutes=30)
    assert desk.states() == ["accepted"]
    return made


def credit(cast: Cast, invoice: Invoice, won: int, desk: Desk) -> CreditNote:
    """As two people of the operator make it."""
    second = factories.member(
        factories.user("second@example.com", "이둘째"), cast.olivia.may.organization
    )
    with rls.everyone(because="test"):
        proposal = credit_notes.propose(
            invoice=invoice,
            amounts={1: won},
            because="한 달 치를 두 번 세었습니다.",
            by=cast.olivia.may,
            now=desk.clock.now,
        )
        credit_notes.carry_out(proposal, second, desk.clock.now)
        return CreditNote.objects.get()


def test_becomes_an_amendment_of_the_amount_once(desk: Desk, invoice: Invoice) -> None:
    note = credit(desk.cast, invoice, 200_000, desk)

    made = [credited.amend_due(now=desk.clock.now) for _ in range(2)]
    for _ in range(10):
        desk.work(minutes=30)

    assert made == [1, 0]
    with rls.everyone(because="test"):
        told = EtaxDocument.objects.get(source=note.public_id)
    assert (told.code, told.supply_won, told.vat_won) == ("02", -200_000, -note.vat_won)
    assert desk.states() == ["amended", "accepted"]


def test_waits_for_the_document_of_its_invoice(desk: Desk) -> None:
    made = make_invoice(desk.cast.firm)
    credit(desk.cast, made, 200_000, desk)

    assert credited.amend_due(now=desk.clock.now) == 0
