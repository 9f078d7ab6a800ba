"""Postings are made once, balance by construction, and stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from billing import journal
from billing.journal import AlreadyPosted, Transfer, transfer
from billing.models import Account, Posting
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

INVOICE = [
    Transfer(Account.RECEIVABLE, Account.ACCRUED, Decimal("1000.123456")),
    Transfer(Account.RECEIVABLE, Account.VAT, 100),
]


def post(
    cast: Cast, transfers: list[Transfer], reference: str = "inv_1", at: datetime = NOON
) -> None:
    journal.post(
        organization=cast.firm,
        kind="invoice",
        reference=reference,
        transfers=transfers,
        at=at,
        now=at,
    )


@pytest.fixture(autouse=True)
def inside(cast: Cast) -> object:
    with rls.tenant(cast.firm.pk):
        yield


def test_balances_to_nothing_over_all_accounts(cast: Cast) -> None:
    post(cast, INVOICE)
    post(cast, [Transfer(Account.BANK, Account.RECEIVABLE, 600)], "pay_1")

    found = journal.balances(cast.firm)

    assert found == {
        Account.RECEIVABLE: Decimal("500.123456"),
        Account.ACCRUED: Decimal("-1000.123456"),
        Account.VAT: -100,
        Account.BANK: 600,
    }
    assert sum(found.values()) == 0


def test_the_same_document_posts_once(cast: Cast) -> None:
    post(cast, INVOICE)
    post(cast, INVOICE)

    assert Posting.objects.count() == 2


@pytest.mark.parametrize("other", [INVOICE[:1], [*INVOICE, *INVOICE[1:]], INVOICE[::-1], []])
def test_refuses_other_amounts_of_the_same_document(cast: Cast, other: list[Transfer]) -> None:
    post(cast, INVOICE)

    with pytest.raises(AlreadyPosted):
        post(cast, other)


def test_counts_only_what_was_posted_before(cast: Cast) -> None:
    post(cast, INVOICE)
    post(cast, INVOICE, "inv_2", NOON + timedelta(days=1))

    found = journal.balances(cast.firm, until=NOON + timedelta(days=1))

    assert found[Account.VAT] == -100


def test_names_the_business_day_of_korea(cast: Cast) -> None:
    post(cast, INVOICE, at=datetime.fromisoformat("2026-12-31T15:00:00Z"))

    assert {str(row.day) for row in Posting.objects.all()} == {"2027-01-01"}


@pytest.mark.parametrize(
    ("won", "expected"),
    [
        (5, [Transfer(Account.BANK, Account.CREDIT, 5)]),
        (-5, [Transfer(Account.CREDIT, Account.BANK, 5)]),
        (0, []),
    ],
)
def test_turns_a_negative_amount_round(won: int, expected: list[Transfer]) -> None:
    assert transfer(Account.BANK, Account.CREDIT, won) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        Transfer(Account.BANK, Account.BANK, 5),
        Transfer(Account.BANK, Account.CREDIT, 0),
        Transfer(Account.BANK, Account.CREDIT, -5),
    ],
)
def test_the_database_refuses_what_moves_nothing(cast: Cast, wrong: Transfer) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        post(cast, [wrong])


def test_the_database_refuses_to_change_a_posting(cast: Cast) -> None:
    post(cast, INVOICE)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Posting.objects.update(amount_micro=1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Posting.objects.all().delete()


def test_another_organization_sees_none(cast: Cast) -> None:
    post(cast, INVOICE)

    with rls.tenant(factories.organization("남", number="2208183676").pk):
        assert not Posting.objects.exists()
