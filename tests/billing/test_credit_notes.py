"""Corrections: two people, never more than is left, tax to the won, posted and told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import credit_notes, invoices, journal, receivables
from billing.models import Account, CreditNote, CreditNoteLine, Invoice, Posting
from portal.routing import deciding
from tenants import rls
from tenants.actions import proposals
from tenants.actors import NotAllowed
from tenants.models import Notice
from tests import factories
from tests.cast import Cast, Person
from tests.factories import NOON

LATER = NOON + timedelta(hours=2)
REASON = "요금표를 잘못 적용했습니다."


@pytest.fixture
def invoice(cast: Cast, prices: None) -> Invoice:
    """Three lines: 60, 18 and 15 won; 93 won and 9 won of tax."""
    factories.ledger_entry(cast.project, tokens_in=1_000_000, tokens_out=100_000)
    factories.ledger_entry(
        cast.project, tokens_in=1_000_000, tokens_out=0, model=factories.EMBEDDING
    )
    made = invoices.issue_interim(
        organization=cast.firm, by=cast.alice.may, now=NOON + timedelta(hours=1)
    )
    assert made is not None
    return made


@pytest.fixture
def paul(cast: Cast) -> Person:
    user = factories.user("paul@example.com", "박운영")
    return Person(user, factories.member(user, cast.olivia.may.organization))


@pytest.fixture(autouse=True)
def as_staff(cast: Cast) -> Iterator[None]:
    with rls.everyone(because="the operator's staff see all organizations"):
        yield


def positions(invoice: Invoice) -> dict[int, int]:
    return {line.amount_won: line.position for line in invoice.lines.all()}


def credit(
    invoice: Invoice, amounts: dict[int, int], cast: Cast, paul: Person, at: Any = LATER
) -> CreditNote:
    proposal = credit_notes.propose(
        invoice=invoice, amounts=amounts, because=REASON, by=cast.olivia.may, now=at
    )
    deciding.approve(proposal=proposal, by=paul.may, now=at)
    return CreditNote.objects.get(proposal=proposal.public_id)


def test_takes_back_part_of_a_line(cast: Cast, invoice: Invoice, paul: Person) -> None:
    note = credit(invoice, {positions(invoice)[60]: 50}, cast, paul)

    assert note.number == "C2026-11-00001"
    assert (note.supply_won, note.vat_won, note.total_won) == (50, 5, 55)
    assert receivables.open_won(invoice) == invoice.total_won - 55
    line = note.lines.get()
    assert (line.amount_won, line.text_ko) == (50, line.invoice_line.text_ko)


def test_posts_the_reverse(cast: Cast, invoice: Invoice, paul: Person) -> None:
    note = credit(invoice, {positions(invoice)[60]: 50}, cast, paul)

    rows = Posting.objects.filter(kind="credit_note", reference=note.public_id)
    assert sorted(rows.values_list("debit", "credit", "amount_micro")) == [
        ("revenue", "receivable", 50_000_000),
        ("vat", "receivable", 5_000_000),
    ]
    assert journal.balances(cast.firm)[Account.RECEIVABLE] == invoice.total_won - 55


def test_needs_a_second_person(cast: Cast, invoice: Invoice) -> None:
    proposal = credit_notes.propose(
        invoice=invoice, amounts={1: 1}, because=REASON, by=cast.olivia.may, now=LATER
    )

    with pytest.raises(proposals.NeedsAnother):
        deciding.approve(proposal=proposal, by=cast.olivia.may, now=LATER)

    assert not CreditNote.objects.exists()


def test_is_not_for_customers(cast: Cast, invoice: Invoice) -> None:
    with pytest.raises(NotAllowed):
        credit_notes.propose(
            invoice=invoice, amounts={1: 1}, because=REASON, by=cast.alice.may, now=LATER
        )


@pytest.mark.parametrize(
    ("won", "error"),
    [
        (61, credit_notes.MoreThanLeft),
        (10**18, credit_notes.MoreThanLeft),
        (-1, credit_notes.MoreThanLeft),
        (0, credit_notes.NothingTakenBack),
    ],
)
def test_never_takes_more_than_the_line_has(
    cast: Cast, invoice: Invoice, won: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        credit_notes.propose(
            invoice=invoice,
            amounts={positions(invoice)[60]: won},
            because=REASON,
            by=cast.olivia.may,
            now=LATER,
        )


def test_knows_no_other_lines(cast: Cast, invoice: Invoice) -> None:
    with pytest.raises(credit_notes.UnknownLine):
        credit_notes.worked_out(invoice, {99: 1})


def test_looks_again_at_what_is_left_when_it_is_approved(
    cast: Cast, invoice: Invoice, paul: Person
) -> None:
    place = positions(invoice)[60]
    first = credit_notes.propose(
        invoice=invoice, amounts={place: 40}, because=REASON, by=cast.olivia.may, now=LATER
    )
    with transaction.atomic():
        credit_notes.issue(
            invoice=invoice, amounts={place: 30}, proposal=first, by=paul.may, now=LATER
        )

    with pytest.raises(credit_notes.MoreThanLeft, match="30"), transaction.atomic():
        deciding.approve(proposal=first, by=paul.may, now=LATER)

    first.refresh_from_db()
    assert first.decision == "open"


def test_takes_back_everything_that_is_left(cast: Cast, invoice: Invoice, paul: Person) -> None:
    credit(invoice, {positions(invoice)[18]: 7}, cast, paul)
    credit(invoice, credit_notes.whole(invoice), cast, paul, LATER + timedelta(minutes=1))

    notes = CreditNote.objects.order_by("number")
    assert [one.number for one in notes] == ["C2026-11-00001", "C2026-11-00002"]
    assert sum(one.total_won for one in notes) == invoice.total_won
    assert sum(one.vat_won for one in notes) == invoice.vat_won
    assert receivables.open_won(invoice) == 0
    with pytest.raises(credit_notes.NothingTakenBack):
        credit_notes.worked_out(invoice, credit_notes.whole(invoice))


def test_numbers_begin_anew_each_month(cast: Cast, invoice: Invoice, paul: Person) -> None:
    credit(invoice, {1: 1}, cast, paul)
    december = credit(invoice, {1: 1}, cast, paul, NOON + timedelta(days=20))

    assert december.number == "C2026-12-00001"


def test_tells_the_customer_and_its_log(cast: Cast, invoice: Invoice, paul: Person) -> None:
    note = credit(invoice, {1: 1}, cast, paul)

    told = Notice.objects.get(kind="credit_note.issued", user=cast.alice.user)
    assert told.words["number"] == note.number
    assert note.because == REASON


@pytest.mark.parametrize("model", [CreditNote, CreditNoteLine])
def test_never_changes(cast: Cast, invoice: Invoice, paul: Person, model: Any) -> None:
    credit(invoice, {1: 1}, cast, paul)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.update(id=model.objects.get().pk)


parts = st.lists(
    st.tuples(st.integers(min_value=0, max_value=2), st.integers(min_value=1, max_value=70)),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parts=parts)
def test_any_parts_together_are_never_more_than_the_invoice(
    cast: Cast, invoice: Invoice, paul: Person, parts: list[tuple[int, int]]
) -> None:
    with transaction.atomic():
        proposal = credit_notes.propose(
            invoice=invoice, amounts={1: 1}, because=REASON, by=cast.olivia.may, now=LATER
        )
        places = sorted(positions(invoice).values())
        for number, (line, won) in enumerate(parts):
            proposal.public_id = f"prop_{number}"
            try:
                with transaction.atomic():
                    credit_notes.issue(
                        invoice=invoice,
                        amounts={places[line]: won},
                        proposal=proposal,
                        by=paul.may,
                        now=LATER,
                    )
            except credit_notes.MoreThanLeft:
                continue
        notes = list(CreditNote.objects.all())
        assert sum(one.supply_won for one in notes) <= invoice.supply_won
        assert sum(one.vat_won for one in notes) <= invoice.vat_won
        assert all(one.vat_won >= 0 for one in notes)
        balance = journal.balances(cast.firm)[Account.RECEIVABLE]
        assert balance == invoice.total_won - sum(one.total_won for one in notes)
        transaction.set_rollback(True)
