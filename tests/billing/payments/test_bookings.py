"""Money in the books: on invoices, as credit, taken back. Never more than there is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import receivables
from billing.models import Account, CreditNote, Payment, PaymentAllocation, Source
from billing.payments import bookings
from billing.payments.bookings import Receipt, ReferenceTaken
from portal.lib import ids
from tenants import actors, rls
from tenants.models import AuditEvent, Notice, Organization
from tests import factories
from tests.billing.payments.conftest import TODAY, balances, bill
from tests.cast import Cast
from tests.factories import NOON


def receive(of: Organization, won: int, reference: str = "dep_1:1", first: str = "") -> Payment:
    return bookings.receive(
        organization=of,
        receipt=Receipt(Source.BANK, reference, won, NOON, payer="한빛", first=first),
        by=actors.system(of, "test"),
        now=NOON,
    )


def opens(of: Organization) -> list[int]:
    with rls.tenant(of.pk):
        return [one.open for one in receivables.open_invoices(of)]


def credit(of: Organization) -> int:
    with rls.tenant(of.pk):
        return receivables.credit_won(of)


def test_pays_the_one_that_is_due_first(cast: Cast) -> None:
    bill(cast.firm, 500, due=TODAY + timedelta(days=9))
    first = bill(cast.firm, 1000)

    receive(cast.firm, 1200)

    assert opens(cast.firm) == [300]
    with rls.tenant(cast.firm.pk):
        assert receivables.open_won(first) == 0


def test_pays_the_invoice_that_it_names(cast: Cast) -> None:
    bill(cast.firm, 1000)
    named = bill(cast.firm, 500, due=TODAY + timedelta(days=9))

    receive(cast.firm, 500, first=named.public_id)

    assert opens(cast.firm) == [1000]


def test_too_little_leaves_a_rest(cast: Cast) -> None:
    bill(cast.firm, 1000)

    receive(cast.firm, 999)

    assert opens(cast.firm) == [1]
    assert balances(cast.firm) == {Account.BANK: 999, Account.RECEIVABLE: -999}


def test_too_much_becomes_credit_and_pays_the_next_invoice(cast: Cast) -> None:
    bill(cast.firm, 1000)
    receive(cast.firm, 1300)
    assert credit(cast.firm) == 300
    assert balances(cast.firm)[Account.CREDIT] == -300

    bill(cast.firm, 200)
    assert bookings.use_credit(organization=cast.firm, now=NOON) == 200
    assert bookings.use_credit(organization=cast.firm, now=NOON) == 0

    assert (opens(cast.firm), credit(cast.firm)) == ([], 100)
    assert balances(cast.firm) == {
        Account.BANK: 1300,
        Account.RECEIVABLE: -1200,
        Account.CREDIT: -100,
    }


def test_the_same_money_is_booked_once(cast: Cast) -> None:
    bill(cast.firm, 1000)

    assert receive(cast.firm, 700) == receive(cast.firm, 700)

    assert opens(cast.firm) == [300]
    with pytest.raises(ReferenceTaken):
        receive(cast.firm, 701)


def test_nobody_elses_invoice_is_paid(cast: Cast) -> None:
    theirs = bill(cast.mallory.may.organization, 1000)

    receive(cast.firm, 1000, first=theirs.public_id)

    assert credit(cast.firm) == 1000
    assert opens(cast.mallory.may.organization) == [1000]


def test_tells_those_who_may_read_invoices(cast: Cast) -> None:
    payment = receive(cast.firm, 1000)

    with rls.tenant(cast.firm.pk):
        assert AuditEvent.objects.filter(verb="payment.receive", subject=payment.public_id).exists()
    with rls.everyone(because="test"):
        told = Notice.objects.filter(kind="payment.received")
        assert {one.user.email for one in told.select_related("user")} == {
            "alice@example.com",
            "carol@example.com",
            "dan@example.com",
        }


def test_takes_a_payment_back(cast: Cast) -> None:
    bill(cast.firm, 1000)
    payment = receive(cast.firm, 1300)

    for _again in range(2):
        bookings.reverse_payment(
            payment=payment,
            reference="undo",
            won=1300,
            because="wrong customer",
            by=cast.olivia.may,
            now=NOON,
        )

    assert (opens(cast.firm), credit(cast.firm)) == ([1000], 0)
    assert balances(cast.firm) == {}


def test_takes_credit_back_before_what_was_paid(cast: Cast) -> None:
    bill(cast.firm, 1000)
    payment = receive(cast.firm, 1300)

    bookings.reverse_payment(
        payment=payment, reference="du_1", won=400, because="lost", by=cast.olivia.may, now=NOON
    )

    assert (opens(cast.firm), credit(cast.firm)) == ([100], 0)


def test_the_database_keeps_what_was_written(cast: Cast) -> None:
    bill(cast.firm, 1000)
    receive(cast.firm, 1000)

    with rls.tenant(cast.firm.pk):
        for rows in (Payment.objects.all(), PaymentAllocation.objects.all()):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                rows.update(won=1)
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                rows._raw_delete(rows.db)


def test_the_database_refuses_to_point_into_another_tenant(cast: Cast) -> None:
    theirs = bill(cast.mallory.may.organization, 1000)
    payment = receive(cast.firm, 1000)

    with pytest.raises(IntegrityError), rls.everyone(because="test"), transaction.atomic():
        PaymentAllocation.objects.create(
            public_id="alloc_x",
            organization=cast.firm,
            payment=payment,
            invoice=theirs,
            won=5,
            because="x",
            at=NOON,
        )
        from django.db import connection

        connection.check_constraints()


def test_the_account_adds_up(cast: Cast) -> None:
    bill(cast.firm, 1000)
    receive(cast.firm, 1300)

    with rls.tenant(cast.firm.pk):
        found = receivables.statement(cast.firm)

    assert [(one["kind"], one["won"], one["balance"]) for one in found] == [
        ("invoice", 1000, 1000),
        ("payment", -1300, -300),
    ]


def test_the_sweep_uses_credit_and_one_customers_trouble_stops_no_other(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cast.mallory.may.organization
    for number, firm in enumerate((cast.firm, other)):
        receive(firm, 500, f"dep_{number}:1")
        bill(firm, 400)
    allocate = bookings._allocate

    def broken(payment: Payment, *words: object) -> list[PaymentAllocation]:
        if payment.organization_id == cast.firm.pk:
            raise ZeroDivisionError
        return allocate(payment, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(bookings, "_allocate", broken)
    bookings.sweep(now=NOON)

    assert (opens(cast.firm), opens(other)) == ([400], [])
    monkeypatch.undo()
    assert bookings.sweep(now=NOON) == 1
    assert opens(cast.firm) == [] and bookings.sweep(now=NOON) == 0


def test_a_credit_note_after_payment_becomes_credit(cast: Cast) -> None:
    invoice = bill(cast.firm, 1000)
    receive(cast.firm, 1000)
    with rls.everyone(because="test"):
        CreditNote.objects.create(
            public_id=ids.mint("crn"),
            organization=cast.firm,
            invoice=invoice,
            number="C2026-11-00001",
            issued_at=NOON,
            issue_date=TODAY,
            seller={},
            buyer={},
            supply_won=300,
            vat_won=0,
            total_won=300,
            vat_rule="truncate",
            because="test",
            proposal="prp_1",
        )

    assert bookings.release(invoice=invoice, now=NOON) == 300
    assert bookings.release(invoice=invoice, now=NOON) == 0

    assert (opens(cast.firm), credit(cast.firm)) == ([], 300)
    assert balances(cast.firm) == {
        Account.BANK: 1000,
        Account.RECEIVABLE: -700,
        Account.CREDIT: -300,
    }


def test_aging_parts_by_days_after_the_due_date(cast: Cast) -> None:
    for days, total in ((0, 1), (1, 10), (30, 10), (31, 100), (61, 1000), (91, 10_000)):
        bill(cast.firm, total, due=TODAY - timedelta(days=days))

    with rls.everyone(because="test"):
        (one,) = receivables.aging(now=NOON)

    assert one.parts == [1, 20, 100, 1000, 10_000]
    assert (one.total, one.overdue) == (11_121, 11_120)


def test_aging_counts_the_credit_of_who_owes_nothing(cast: Cast) -> None:
    receive(cast.firm, 300, "dep_1:1")

    with rls.everyone(because="test"):
        (one,) = receivables.aging(now=NOON)

    assert (one.organization, one.total, one.credit) == (cast.firm, 0, 300)


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_never_pay_more_than_is_open() -> None:
    firm = factories.organization()
    bill(firm, 1000)

    def one(number: int) -> None:
        receive(firm, 300, f"dep_{number}:1")
        connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))

    assert opens(firm) == []
    assert credit(firm) == 1400
    assert balances(firm) == {
        Account.BANK: 2400,
        Account.RECEIVABLE: -1000,
        Account.CREDIT: -1400,
    }


steps = st.lists(
    st.tuples(st.sampled_from(["bill", "pay", "credit", "back"]), st.integers(1, 2000)),
    max_size=12,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
def test_the_books_agree_after_any_sequence(cast: Cast, steps: list[tuple[str, int]]) -> None:
    """Open = billed − paid, credit = paid − used − taken back; the journal says the same."""
    with transaction.atomic():
        payments: list[Payment] = []
        for number, (deed, won) in enumerate(steps):
            if deed == "bill":
                bill(cast.firm, won)
            elif deed == "pay":
                payments.append(receive(cast.firm, won, f"dep_{number}:1"))
            elif deed == "credit":
                bookings.use_credit(organization=cast.firm, now=NOON)
            elif payments:
                payment = payments.pop()
                bookings.reverse_payment(
                    payment=payment,
                    reference="undo",
                    won=payment.won,
                    because="test",
                    by=cast.olivia.may,
                    now=NOON,
                )
        _agree(cast.firm)
        transaction.set_rollback(True)


def _agree(firm: Organization) -> None:
    with rls.tenant(firm.pk):
        payments = receivables.with_free(Payment.objects.all())
        assert all(one.free >= 0 and one.used >= 0 for one in payments)
        billed = receivables.with_open(receivables.Invoice.objects.all())
        assert all(0 <= one.open <= one.total_won for one in billed)
        owed = sum(one.open for one in billed)
        free = sum(one.free for one in payments)
        account = receivables.statement(firm)
        assert (account[-1]["balance"] if account else 0) == owed - free
    books = balances(firm)
    assert books.get(Account.CREDIT, 0) == -free
    total = sum(one.total_won for one in billed)
    assert books.get(Account.RECEIVABLE, 0) == owed - total
