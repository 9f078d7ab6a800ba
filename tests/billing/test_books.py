"""The books agree; and each way in which they might not is found and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing import books, invoices, journal
from billing.models import Account, Accrual, Invoice, Payment, PaymentAllocation
from portal.lib.periods import Month
from tenants import actors, rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

LATER = NOON + timedelta(days=20)
NOVEMBER = Month(2026, 11)


def use(cast: Cast, **fields: Any) -> None:
    factories.ledger_entry(cast.project, **{"tokens_in": 1_234_567, "tokens_out": 89} | fields)


def bill(cast: Cast) -> Invoice:
    found = invoices.issue(
        organization=cast.firm,
        kind="month",
        month=NOVEMBER,
        until=NOVEMBER.period.end,
        by=actors.system(cast.firm, "Month end"),
        now=LATER,
    )
    assert found is not None
    return found


@pytest.fixture
def billed(cast: Cast, prices: None) -> Invoice:
    """Tokens, card time and something written off, on an invoice; some use after it."""
    use(cast, settled_micro=1_000_000, written_off_micro=333_333)
    endpoint = factories.endpoint(cast.project)
    factories.card_time(endpoint, start=NOON, end=NOON + timedelta(seconds=1001))
    invoice = bill(cast)
    use(cast, at=NOON + timedelta(hours=5), late=True)
    return invoice


def faults(**how: Any) -> list[str]:
    return [str(one) for one in books.verify(now=LATER, **how)]


def test_agree_after_an_invoice_and_with_late_use(cast: Cast, billed: Invoice) -> None:
    assert faults() == []
    assert faults(organization=cast.firm) == []


def test_an_invoice_moves_what_was_accrued(cast: Cast, billed: Invoice) -> None:
    with rls.tenant(cast.firm.pk):
        found = journal.balances(cast.firm, until=LATER + timedelta(seconds=1))
        exact = sum(line.exact_micro for line in billed.lines.all()) / Decimal(10**6)

    assert found[Account.ACCRUED] == 0
    assert found[Account.RECEIVABLE] == billed.total_won
    assert found[Account.VAT] == -billed.vat_won
    assert found[Account.ROUNDING] == exact - billed.supply_won
    assert found[Account.LOSS] == Decimal("0.333333")
    assert sum(found.values()) == 0


def test_all_that_is_used_and_billed_leaves_nothing_accrued(cast: Cast, billed: Invoice) -> None:
    december = Month(2026, 12)
    invoices.issue(
        organization=cast.firm,
        kind="month",
        month=december,
        until=december.period.end,
        by=actors.system(cast.firm, "Month end"),
        now=december.period.end,
    )

    with rls.tenant(cast.firm.pk):
        assert journal.balances(cast.firm)[Account.ACCRUED] == 0


# ─── what might be wrong ───────────────────────────────────────────────────────────────────────


def insert_line(invoice: Invoice, **fields: Any) -> None:
    with rls.tenant(invoice.organization_id):
        line = invoice.lines.first()
        assert line is not None
        for name, value in ({"pk": None, "position": 99} | fields).items():
            setattr(line, name, value)
        line.save(force_insert=True)


def a_line_too_many(invoice: Invoice) -> None:
    insert_line(invoice)


def a_line_off_by_two_won(invoice: Invoice) -> None:
    insert_line(invoice, exact_micro=0, amount_won=2, unit="tokens", quantity=0)


def an_accrual_without_a_line(invoice: Invoice) -> None:
    with rls.tenant(invoice.organization_id):
        row = Accrual.objects.first()
        assert row is not None
        row.line_id, row.number = 987_654, 1
        Accrual.objects.bulk_create([row])


def an_accrual_of_nothing(invoice: Invoice) -> None:
    with rls.tenant(invoice.organization_id):
        row = Accrual.objects.filter(line__kind="tokens").first()
        assert row is not None
        row.day -= timedelta(days=3)
        Accrual.objects.bulk_create([row])


def a_posting_of_no_invoice(invoice: Invoice) -> None:
    with rls.tenant(invoice.organization_id):
        journal.post(
            organization=invoice.organization,
            kind="invoice",
            reference="inv_nobody",
            transfers=[journal.Transfer(Account.RECEIVABLE, Account.VAT, 5)],
            at=NOON,
            now=NOON,
        )


def a_payment_that_posted_nothing(invoice: Invoice) -> None:
    with rls.tenant(invoice.organization_id):
        payment = Payment.objects.create(
            public_id="pay_x",
            organization=invoice.organization,
            source="bank",
            reference="x",
            won=1,
            received_at=NOON,
            booked_at=NOON,
        )
        PaymentAllocation.objects.create(
            public_id="alloc_x",
            organization=invoice.organization,
            payment=payment,
            invoice=invoice,
            won=1,
            because="paid",
            at=NOON,
        )


@pytest.mark.parametrize(
    ("deed", "named"),
    [
        (a_line_too_many, {"accrued", "invoice total", "billed quantity"}),
        (a_line_off_by_two_won, {"invoice line", "invoice total"}),
        (an_accrual_without_a_line, {"trial balance", "use"}),
        (an_accrual_of_nothing, {"use"}),
        (a_posting_of_no_invoice, {"receivable", "owed"}),
        (a_payment_that_posted_nothing, {"owed"}),
    ],
)
def test_name_what_does_not_agree(
    cast: Cast, billed: Invoice, deed: Callable[[Invoice], None], named: set[str]
) -> None:
    deed(billed)

    found = list(books.verify(now=LATER))

    assert {one.check for one in found} == named
    assert {one.organization for one in found} == {cast.firm.public_id}
    other = cast.mallory.may.organization
    assert list(books.verify(now=LATER, organization=other)) == []


# ─── the command ───────────────────────────────────────────────────────────────────────────────


def test_the_command_says_that_they_agree(
    cast: Cast, billed: Invoice, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify_books")
    call_command("verify_books", organization=cast.firm.public_id)

    assert capsys.readouterr().out.count("The books agree.\n") == 2


def test_the_command_names_what_does_not_agree(
    cast: Cast, billed: Invoice, capsys: pytest.CaptureFixture[str]
) -> None:
    a_posting_of_no_invoice(billed)

    with pytest.raises(CommandError) as refusal:
        call_command("verify_books", without_use=True)

    assert refusal.value.returncode == 1
    assert f"receivable: {cast.firm.public_id} inv_nobody" in capsys.readouterr().out


def test_the_command_knows_no_other_organization(cast: Cast) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("verify_books", organization="org_nobody")

    assert refusal.value.returncode == 2
