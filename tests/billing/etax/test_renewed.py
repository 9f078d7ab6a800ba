"""A right invoice in a wrong one's place: what the tax service is told, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import credit_notes, renewals
from billing.etax import amending, credited
from billing.etax.amendments import Reason
from billing.models import EtaxDocument, Invoice
from billing.payments import bookings
from billing.payments.bookings import Receipt
from tenants import rls
from tenants.actors import Actor
from tests import factories
from tests.billing.etax.conftest import Desk, make_invoice

BECAUSE = "단가를 잘못 적었습니다."
NUMBER = "2026-11-00900"  # of a series that no test continues
Seen = list[tuple[str, str, int, int]]


@pytest.fixture
def second(desk: Desk) -> Actor:
    user = factories.user("second@example.com", "이둘째")
    return factories.member(user, desk.cast.olivia.may.organization)


def days(desk: Desk) -> None:
    """Everything that is due is done, and answered."""
    for _ in range(12):
        credited.amend_due(now=desk.clock.now)
        desk.work(minutes=30)


@pytest.fixture
def wrong(desk: Desk) -> Invoice:
    made = make_invoice(desk.cast.firm, number=NUMBER)
    days(desk)
    assert desk.states() == ["accepted"]
    return made


def renew(
    desk: Desk, wrong: Invoice, second: Actor, reason: Reason, amounts: dict[int, int]
) -> Invoice:
    now = desk.clock.now
    with rls.everyone(because="test"):
        proposal = renewals.propose(
            invoice=wrong,
            amounts=amounts,
            reason=reason,
            because=BECAUSE,
            by=desk.cast.olivia.may,
            now=now,
        )
        renewals.carry_out(proposal, second, now)
        return Invoice.objects.get(renews__invoice=wrong)


def credit(desk: Desk, invoice: Invoice, second: Actor, amounts: dict[int, int]) -> None:
    with rls.everyone(because="test"):
        proposal = credit_notes.propose(
            invoice=invoice,
            amounts=amounts,
            because=BECAUSE,
            by=desk.cast.olivia.may,
            now=desk.clock.now,
        )
        credit_notes.carry_out(proposal, second, desk.clock.now)


def seen(desk: Desk) -> Seen:
    """What counts at the tax service: code, sheet, supply value, VAT."""
    return [(one.code, one.sheet, one.supply_won, one.vat_won) for one in desk.documents()]


FIRST = ("", "invoice", 1_234_567, 123_456)


@pytest.mark.parametrize(
    ("reason", "further"),
    [
        (
            Reason.PARTICULARS,
            [("01", "reversal", -1_234_567, -123_456), ("01", "renewed", 1_034_567, 103_456)],
        ),
        (Reason.PRICE, [("02", "difference", -200_000, -20_000)]),
        (
            Reason.LETTER_OF_CREDIT,
            [("05", "reversal", -1_234_567, -123_456), ("05", "renewed", 1_034_567, 0)],
        ),
    ],
)
def test_is_told_by_the_correction_and_has_no_document_of_its_own(
    desk: Desk, wrong: Invoice, second: Actor, reason: Reason, further: Seen
) -> None:
    made = renew(desk, wrong, second, reason, {1: 1_000_000})
    days(desk)

    assert seen(desk) == [FIRST, *further]
    assert desk.states() == ["amended", *["accepted"] * len(further)]
    assert len(desk.service.kept) == 1 + len(further)
    told = sum(one.total_won for one in desk.documents())
    assert told == made.total_won
    with rls.everyone(because="test"):
        own = EtaxDocument.objects.filter(source=made.public_id)
        assert not own.exists()


@pytest.mark.parametrize("reason", [Reason.PARTICULARS, Reason.PRICE])
def test_a_later_credit_note_amends_what_was_told_of_it(
    desk: Desk, wrong: Invoice, second: Actor, reason: Reason
) -> None:
    made = renew(desk, wrong, second, reason, {1: 1_000_000})
    days(desk)
    credit(desk, made, second, {1: 500_000})
    days(desk)

    last = desk.documents()[-1]
    assert last.original is not None
    assert (last.code, last.supply_won, last.state) == ("02", -500_000, "accepted")
    assert last.original.sheet == ("renewed" if reason is Reason.PARTICULARS else "invoice")
    assert sum(one.supply_won for one in desk.documents()) == made.supply_won - 500_000


def test_after_an_earlier_amendment_only_the_difference_can_be_told(
    desk: Desk, wrong: Invoice, second: Actor
) -> None:
    credit(desk, wrong, second, {1: 200_000})
    days(desk)

    with pytest.raises(amending.BadCorrection, match="1,034,567"):
        renew(desk, wrong, second, Reason.PARTICULARS, {})
    made = renew(desk, wrong, second, Reason.PRICE, {1: 900_000})
    days(desk)

    assert [one[2] for one in seen(desk)] == [1_234_567, -200_000, -100_000]
    assert sum(one.total_won for one in desk.documents()) == made.total_won


def test_what_was_taken_back_before_is_told_as_billed_again(
    desk: Desk, wrong: Invoice, second: Actor
) -> None:
    credit(desk, wrong, second, {1: 1_200_000, 2: 34_567})
    days(desk)

    made = renew(desk, wrong, second, Reason.PRICE, {1: 1_000_000})
    days(desk)

    assert seen(desk)[1:] == [
        ("02", "difference", -1_234_567, -123_456),
        ("02", "difference", made.supply_won, made.vat_won),
    ]


def test_has_its_own_document_where_nothing_was_out_of_the_wrong_one(
    desk: Desk, second: Actor
) -> None:
    nobody = {"name": "이름뿐", "business_number": "", "address": "", "kind": "sme"}
    wrong = make_invoice(desk.cast.firm, number=NUMBER, buyer=nobody)
    desk.work(minutes=1)
    assert desk.states() == ["blocked"]

    made = renew(desk, wrong, second, Reason.PARTICULARS, {1: 1_000_000})
    days(desk)

    first, own = desk.documents()
    assert (first.state, own.state, own.code) == ("waived", "accepted", "")
    assert (own.source, own.total_won) == (made.public_id, made.total_won)
    assert len(desk.service.kept) == 1


def test_says_that_it_is_paid_where_it_is_paid_at_the_issue(
    desk: Desk, wrong: Invoice, second: Actor
) -> None:
    body: Any = next(iter(desk.service.kept.values())).body
    assert body["purposeType"] == "청구"
    receipt = Receipt("bank", "line-1", wrong.total_won, desk.clock.now)  # type: ignore[arg-type]
    with rls.everyone(because="test"):
        bookings.receive(
            organization=desk.cast.firm,
            receipt=receipt,
            by=desk.cast.olivia.may,
            now=desk.clock.now + timedelta(seconds=1),
        )

    renew(desk, wrong, second, Reason.PARTICULARS, {1: 1_000_000})
    days(desk)

    bodies = [one.body for one in desk.service.kept.values()]
    assert [one["purposeType"] for one in bodies] == ["청구", "청구", "영수"]


def test_details_need_not_be_those_of_the_wrong_one(
    desk: Desk, wrong: Invoice, second: Actor
) -> None:
    cast = desk.cast
    cast.firm.name = "새 이름 주식회사"
    with rls.everyone(because="test"):
        cast.firm.save(update_fields=["name"])

    renew(desk, wrong, second, Reason.PARTICULARS, {})
    days(desk)

    names = [one.body["invoiceeCorpName"] for one in desk.service.kept.values()]
    assert names[0] == names[1] != names[2] == "새 이름 주식회사"
