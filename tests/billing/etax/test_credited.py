"""A credit note is told to the tax service, once, without anybody asking for it."""

from __future__ import annotations

import pytest

from billing import credit_notes
from billing.etax import credited
from billing.models import CreditNote, EtaxDocument, Invoice
from tenants import rls
from tests import factories
from tests.billing.etax.conftest import Desk, amend, correction, make_invoice
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
    name = f"second-{invoice.number}@example.com"
    second = factories.member(factories.user(name, "이둘째"), cast.olivia.may.organization)
    with rls.everyone(because="test"):
        proposal = credit_notes.propose(
            invoice=invoice,
            amounts={1: won},
            because="한 달 치를 두 번 세었습니다.",
            by=cast.olivia.may,
            now=desk.clock.now,
        )
        credit_notes.carry_out(proposal, second, desk.clock.now)
        return CreditNote.objects.get(invoice=invoice)


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


def test_what_was_amended_by_hand_stands_before_no_other(
    desk: Desk, invoice: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credited, "AT_ONCE", 1)
    credit(desk.cast, invoice, 200_000, desk)
    amend(desk, correction(invoice, -1_200_000, -120_000))  # 34,567 are left at the tax service
    other = make_invoice(desk.cast.firm, number="2026-12-00002")
    desk.work()
    credit(desk.cast, other, 100_000, desk)

    made = [credited.amend_due(now=desk.clock.now) for _ in range(3)]

    assert made == [0, 1, 0]
