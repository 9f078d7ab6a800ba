"""A wrong invoice, a credit note over all of it, and a right one in its place: two people, exact
books, and no use billed twice or lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction

from billing import books, credit_notes, invoices, journal, receivables, renewals
from billing.etax.amendments import Reason
from billing.funding import drawing, sources
from billing.funding.sources import Terms
from billing.models import Account, CreditNote, FundingDraw, Invoice, Posting
from billing.payments import bookings
from billing.payments.bookings import Receipt
from billing.vat import VatRule
from portal.lib.periods import Month
from portal.routing import deciding
from tenants import actors, rls
from tenants.actors import NotAllowed
from tests import factories
from tests.billing.test_credit_notes import credit, invoice, paul, positions
from tests.cast import Cast, Person
from tests.factories import NOON

__all__ = ["invoice", "paul"]  # fixtures
LATER = NOON + timedelta(hours=2)
REASON = "단가를 잘못 적었습니다."


@pytest.fixture(autouse=True)
def as_staff(cast: Cast) -> Iterator[None]:
    with rls.everyone(because="the operator's staff see all organizations"):
        yield


def renew(
    wrong: Invoice,
    amounts: dict[int, int],
    cast: Cast,
    paul: Person,
    *,
    reason: Reason = Reason.PARTICULARS,
    at: Any = LATER,
) -> Invoice:
    proposal = renewals.propose(
        invoice=wrong, amounts=amounts, reason=reason, because=REASON, by=cast.olivia.may, now=at
    )
    deciding.approve(proposal=proposal, by=paul.may, now=at)
    return Invoice.objects.get(renews__invoice=wrong)


def test_stands_in_its_place_with_the_right_amounts(
    cast: Cast, invoice: Invoice, paul: Person
) -> None:
    places = positions(invoice)
    cast.firm.name = "새 이름 주식회사"
    cast.firm.save(update_fields=["name"])

    made = renew(invoice, {places[60]: 48, places[18]: 0}, cast, paul)

    note = CreditNote.objects.get()
    assert (note.total_won, note.reason) == (invoice.total_won, "particulars")
    assert (made.number, made.kind, made.month) == ("2026-11-00002", "corrected", invoice.month)
    assert (made.period_start, made.period_end) == (invoice.period_start, invoice.period_end)
    assert (made.supply_won, made.vat_won, made.total_won) == (63, 6, 69)
    assert made.buyer["name"] == "새 이름 주식회사"
    rows = [
        (one.position, one.quantity, one.unit_price, one.amount_won) for one in made.lines.all()
    ]
    was = {one.position: one for one in invoice.lines.all()}
    assert rows == [
        (place, was[place].quantity, price, won)
        for place, price, won in sorted([(places[60], 48, 48), (places[15], 15, 15)])
    ]
    assert {one.usage_month for one in made.lines.all()} == {"2026-11"}


def test_posts_what_the_credit_note_gave_back(cast: Cast, invoice: Invoice, paul: Person) -> None:
    made = renew(invoice, {positions(invoice)[60]: 48}, cast, paul)

    rows = Posting.objects.filter(kind="invoice", reference=made.public_id)
    assert sorted(rows.values_list("debit", "credit", "amount_micro")) == [
        ("receivable", "revenue", 81_000_000),
        ("receivable", "vat", 8_000_000),
    ]
    found = journal.balances(cast.firm)
    assert found[Account.RECEIVABLE] == receivables.open_won(made) == 89
    assert found[Account.VAT] == -8
    assert found[Account.ACCRUED] == 0
    assert sum(found.values()) == 0
    assert list(books.verify(now=LATER)) == []


def test_a_voucher_pays_it_with_what_came_back(cast: Cast, invoice: Invoice, paul: Person) -> None:
    terms = Terms(
        kind="voucher",
        place=1,
        name="AI 바우처",
        cap_won=100,
        starts=date(2026, 11, 1),
        last_day=date(2026, 11, 30),
        usable_until=date(2026, 12, 31),
    )
    voucher = sources.add(terms=terms, by=cast.carol.may, now=NOON)
    drawing.apply(invoice, now=NOON)
    assert (invoice.total_won, sources.left_won(voucher)) == (102, 0)

    made = renew(invoice, {positions(invoice)[60]: 48}, cast, paul)

    assert (made.total_won, sources.left_won(voucher)) == (89, 11)
    assert [one.won for one in FundingDraw.objects.filter(invoice=made, source=None)] == []
    assert list(books.verify(now=LATER)) == []


def test_what_is_used_is_neither_billed_again_nor_lost(
    cast: Cast, invoice: Invoice, paul: Person
) -> None:
    renew(invoice, {positions(invoice)[60]: 48, positions(invoice)[18]: 0}, cast, paul)
    factories.ledger_entry(cast.project, at=LATER, tokens_in=1_000_000, tokens_out=0)

    made = invoices.issue(
        organization=cast.firm,
        kind="month",
        month=Month(2026, 11),
        until=Month(2026, 11).period.end,
        by=actors.system(cast.firm, "Month end"),
        now=NOON + timedelta(days=30),
    )

    assert made is not None
    assert [one.quantity for one in made.lines.all()] == [1_000_000]
    assert made.supply_won == 60
    assert list(books.verify(now=NOON + timedelta(days=30))) == []


def test_takes_over_what_was_paid(cast: Cast, invoice: Invoice, paul: Person) -> None:
    bookings.receive(
        organization=cast.firm,
        receipt=Receipt("bank", "line-1", invoice.total_won, NOON),  # type: ignore[arg-type]
        by=cast.olivia.may,
        now=LATER,
    )

    made = renew(invoice, {positions(invoice)[60]: 48}, cast, paul)

    assert receivables.is_paid(made)
    assert not receivables.is_paid(invoice)
    assert receivables.credit_won(cast.firm) == invoice.total_won - made.total_won
    assert sum(journal.balances(cast.firm).values()) == 0


def test_comes_after_a_credit_note_over_everything(
    cast: Cast, invoice: Invoice, paul: Person
) -> None:
    note = credit(invoice, credit_notes.whole(invoice), cast, paul)

    made = renew(invoice, {}, cast, paul, reason=Reason.PRICE, at=LATER + timedelta(hours=1))

    assert CreditNote.objects.count() == 1
    assert (made.renews, made.total_won) == (note, invoice.total_won)


def test_is_corrected_itself_and_the_wrong_one_only_once(
    cast: Cast, invoice: Invoice, paul: Person
) -> None:
    first = renew(invoice, {}, cast, paul)

    with pytest.raises(renewals.AlreadyRenewed, match=first.number):
        renewals.worked_out(invoice, {}, reason=Reason.PARTICULARS)
    second = renew(first, {positions(invoice)[60]: 59}, cast, paul)

    assert [first.total_won, second.total_won] == [invoice.total_won, 101]
    assert receivables.open_won(first) == 0
    assert list(books.verify(now=LATER)) == []


@pytest.mark.parametrize(
    ("amounts", "error"),
    [
        ({1: -1}, renewals.WrongAmount),
        ({1: 10**15 + 1}, renewals.WrongAmount),
        ({1: 10**30}, renewals.WrongAmount),
        ({99: 1}, credit_notes.UnknownLine),
        ({1: 0, 2: 0, 3: 0}, renewals.NothingToBill),
    ],
)
def test_refuses_what_makes_no_invoice(
    cast: Cast, invoice: Invoice, amounts: dict[int, int], error: type[Exception]
) -> None:
    with pytest.raises(error):
        renewals.worked_out(invoice, amounts, reason=Reason.PARTICULARS)


def test_a_change_of_the_price_changes_something(cast: Cast, invoice: Invoice) -> None:
    with pytest.raises(renewals.NothingChanges), transaction.atomic():
        renewals.propose(
            invoice=invoice,
            amounts={},
            reason=Reason.PRICE,
            because=REASON,
            by=cast.olivia.may,
            now=LATER,
        )


def test_is_not_for_customers(cast: Cast, invoice: Invoice) -> None:
    with pytest.raises(NotAllowed):
        renewals.propose(
            invoice=invoice,
            amounts={},
            reason=Reason.PARTICULARS,
            because=REASON,
            by=cast.alice.may,
            now=LATER,
        )


def test_bears_no_tax_with_a_letter_of_credit(cast: Cast, invoice: Invoice, paul: Person) -> None:
    made = renew(invoice, {}, cast, paul, reason=Reason.LETTER_OF_CREDIT)

    assert (made.vat_won, made.vat_rule) == (0, "zero")
    assert credit_notes.worked_out(made, {1: 5}).vat_won == 0


def test_cuts_a_public_body_anew(cast: Cast, invoice: Invoice, paul: Person) -> None:
    wrong = Invoice(
        **{
            one.attname: getattr(invoice, one.attname)
            for one in Invoice._meta.concrete_fields
            if one.attname != "id"
        }
        | {"public_id": "inv_ten", "number": "2026-11-00077", "vat_rule": "truncate/ten"}
    )
    wrong.save()
    lines = list(invoice.lines.all())
    for one in lines:
        one.pk, one.invoice = None, wrong
        one.save()

    found = renewals.worked_out(wrong, {}, reason=Reason.PARTICULARS)

    assert found.rule == VatRule("truncate", ten_won=True)
    assert (found.cut_won, found.supply_won, found.total_won) == (2, 91, 100)


@pytest.mark.parametrize(
    ("reason", "amounts", "refused"),
    [
        (Reason.CANCELLATION, {1: 1}, True),
        (Reason.DUPLICATE, {1: 1}, True),
        (Reason.CANCELLATION, None, False),
        (Reason.RETURN, {1: 1}, False),
    ],
)
def test_a_cancellation_takes_all_of_it_back(
    cast: Cast, invoice: Invoice, reason: Reason, amounts: dict[int, int] | None, refused: bool
) -> None:
    words: dict[str, Any] = {
        "invoice": invoice,
        "amounts": amounts or credit_notes.whole(invoice),
        "because": REASON,
        "by": cast.olivia.may,
        "now": LATER,
        "reason": reason,
    }

    if refused:
        with pytest.raises(credit_notes.NotAllOfIt):
            credit_notes.propose(**words)
    else:
        assert credit_notes.propose(**words).payload["reason"] == reason
