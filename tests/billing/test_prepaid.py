"""Credit that is paid for in advance: topped up, drawn, given back, ended, expired; all in step
with the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import books, credit_notes, invoices
from billing.funding import drawing, prepaid, queries, sources
from billing.funding.prepaid import BadTopUp, TopUpOver
from billing.models import (
    Account,
    FundingDraw,
    FundingSource,
    Invoice,
    Payment,
    PrepaidEntry,
    PrepaidTopUp,
)
from billing.payments import bookings
from portal.lib.periods import seoul_date
from portal.routing import deciding
from tenants import rls
from tenants.actors import NotAllowed
from tenants.models import Notice, Organization
from tests import factories
from tests.billing.months import AFTER, NOVEMBER, REVIEWED, run, use
from tests.billing.payments.conftest import balances, bill
from tests.billing.payments.test_bookings import credit, opens, receive
from tests.billing.test_funding import TERMS, invoice
from tests.cast import Cast, Person
from tests.factories import NOON

OURS = {"funding draws", "funding source", "prepaid"}


@pytest.fixture(autouse=True)
def inside(cast: Cast) -> Iterator[None]:
    with rls.tenant(cast.firm.pk):
        yield


def top_up(cast: Cast, won: int = 100_000, reference: str = "dep_t:1") -> FundingSource:
    """A wish, and a deposit of exactly its amount."""
    wish = prepaid.ask(won=won, by=cast.carol.may, now=NOON)
    receive(cast.firm, won, reference)
    wish.refresh_from_db()
    assert wish.source is not None
    return wish.source


def faults(of: Organization) -> list[str]:
    with rls.everyone(because="test: whether the books agree"):
        found = books.verify(now=NOON, organization=of, use=False)
        # invoices of these tests are made by their totals and have posted nothing
        return [str(one) for one in found if one.check in OURS]


def told(cast: Cast, kind: str) -> int:
    """How often carol was."""
    with rls.everyone(because="test: who was told"):
        return Notice.objects.filter(kind=kind, user=cast.carol.user).count()


def on(days: int, source: FundingSource) -> datetime:
    """Noon so many days after the source's last."""
    return NOON + timedelta(days=days) + (source.usable_until - seoul_date(NOON))


# ─── topped up ─────────────────────────────────────────────────────────────────────────────────


def test_a_deposit_of_the_amount_becomes_prepaid_and_pays_no_invoice(cast: Cast) -> None:
    bill(cast.firm, 70_000)

    source = top_up(cast)

    assert (source.kind, source.cap_won, prepaid.left_won(source)) == ("prepaid", 100_000, 100_000)
    assert source.usable_until == date(2027, 11, 16)
    assert (opens(cast.firm), credit(cast.firm)) == ([70_000], 0)
    assert balances(cast.firm) == {Account.BANK: 100_000, Account.PREPAID: -100_000}
    assert faults(cast.firm) == []


def test_another_amount_pays_invoices_first_and_what_is_over_fills_it(cast: Cast) -> None:
    bill(cast.firm, 70_000)
    prepaid.ask(won=100_000, by=cast.carol.may, now=NOON)

    receive(cast.firm, 80_000)
    assert (opens(cast.firm), credit(cast.firm)) == ([], 10_000)
    assert not FundingSource.objects.exists()

    receive(cast.firm, 95_000, "dep_2:1")
    assert prepaid.left_won(FundingSource.objects.get()) == 100_000
    assert credit(cast.firm) == 5_000


def test_a_deposit_that_names_an_invoice_is_no_top_up(cast: Cast) -> None:
    named = bill(cast.firm, 100_000)
    prepaid.ask(won=100_000, by=cast.carol.may, now=NOON)

    receive(cast.firm, 100_000, first=named.public_id)

    assert opens(cast.firm) == []
    assert not FundingSource.objects.exists()


def test_is_withdrawn_or_filled_but_not_both(cast: Cast) -> None:
    wish = prepaid.ask(won=100_000, by=cast.carol.may, now=NOON)
    prepaid.withdraw(wish=wish, by=cast.carol.may, now=NOON)

    receive(cast.firm, 100_000)

    assert credit(cast.firm) == 100_000
    taken = prepaid.ask(won=100_000, by=cast.carol.may, now=NOON)  # the credit that is there
    assert taken.source is not None
    with pytest.raises(TopUpOver):
        prepaid.withdraw(wish=taken, by=cast.carol.may, now=NOON)


def test_is_withdrawn_with_the_organization_locked(cast: Cast) -> None:
    """As payments fill it: else both could be true at once."""
    wish = prepaid.ask(won=100_000, by=cast.carol.may, now=NOON)

    with CaptureQueriesContext(connection) as asked:
        prepaid.withdraw(wish=wish, by=cast.carol.may, now=NOON)

    said = [one["sql"] for one in asked]
    (locked,) = (place for place, sql in enumerate(said) if "FOR NO KEY UPDATE" in sql)
    assert 'UPDATE "billing_prepaidtopup"' not in "".join(said[:locked])


@pytest.mark.parametrize("won", [-1, 0, 9_999, 10**10 + 1])
def test_refuses_amounts_that_make_no_sense(cast: Cast, won: int) -> None:
    with pytest.raises(BadTopUp):
        prepaid.ask(won=won, by=cast.carol.may, now=NOON)


def test_needs_the_verb(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        prepaid.ask(won=100_000, by=cast.dan.may, now=NOON)


# ─── used, given back, over ────────────────────────────────────────────────────────────────────


def test_is_drawn_after_the_voucher_and_pays_the_invoice(cast: Cast) -> None:
    sources.add(
        terms=replace(TERMS, kind="voucher", own_share=0, cap_won=30_000),
        by=cast.carol.may,
        now=NOON,
    )
    source = top_up(cast, 50_000)
    made = invoice(cast, ("tokens", 100_000))

    drawing.apply(made, now=NOON)

    assert [(one.kind, one.won) for one in drawing.parts_of(made)] == [
        ("voucher", 30_000),
        ("prepaid", 50_000),
        ("own", 30_000),
    ]
    assert prepaid.left_won(source) == 0
    assert opens(cast.firm) == [60_000]  # the voucher's part is owed as well
    assert faults(cast.firm) == []


@pytest.fixture
def paul(cast: Cast) -> Person:
    user = factories.user("paul@example.com", "박운영")
    return Person(user, factories.member(user, cast.olivia.may.organization))


def take_back(made: Invoice, won: int, cast: Cast, paul: Person, now: datetime) -> None:
    """A credit note over ``won`` of the first line and its tax."""
    with rls.everyone(because="the operator's staff see all organizations"):
        proposal = credit_notes.propose(
            invoice=made, amounts={1: won}, because="요금표 오류", by=cast.olivia.may, now=now
        )
        deciding.approve(proposal=proposal, by=paul.may, now=now)


def test_a_credit_note_gives_back_what_was_drawn_last_first(cast: Cast, paul: Person) -> None:
    source = top_up(cast, 50_000)
    made = invoice(cast, ("tokens", 100_000))
    drawing.apply(made, now=NOON)  # 50,000 prepaid, 60,000 own
    receive(cast.firm, 60_000, "dep_2:1")

    take_back(made, 80_000, cast, paul, NOON)  # 88,000 with tax
    bookings.sweep(now=NOON)

    assert [(one.kind, one.back_won) for one in drawing.parts_of(made)] == [
        ("prepaid", 30_000),
        ("own", 58_000),
    ]
    assert prepaid.left_won(source) == 30_000
    rows = [(one.document, one.won, one.own_won) for one in queries.statement(source)]
    assert rows == [("invoice", 50_000, 0), ("credit_note", -30_000, 0)]
    assert (opens(cast.firm), credit(cast.firm)) == ([], 58_000)
    assert faults(cast.firm) == []


def test_what_comes_back_after_the_end_is_credit(cast: Cast, paul: Person) -> None:
    source = top_up(cast, 110_000)
    made = invoice(cast, ("tokens", 100_000))
    drawing.apply(made, now=NOON)

    late = on(1, source)
    take_back(made, 50_000, cast, paul, late)
    prepaid.sweep(now=late)

    assert (prepaid.left_won(source), credit(cast.firm)) == (0, 55_000)
    assert faults(cast.firm) == []


def test_expires_once_after_its_last_day(cast: Cast) -> None:
    source = top_up(cast)

    assert prepaid.expire(source, now=on(0, source)) == 0
    for _again in range(2):
        prepaid.sweep(now=on(1, source))

    assert balances(cast.firm) == {Account.BANK: 100_000, Account.EXPIRED: -100_000}
    assert (prepaid.left_won(source), credit(cast.firm)) == (0, 0)
    assert told(cast, "prepaid.expired") == 1
    assert faults(cast.firm) == []


def test_ended_before_is_credit_and_too_late_is_lost(cast: Cast) -> None:
    early, late = top_up(cast), top_up(cast, 200_000, "dep_u:1")

    sources.end(source=early, by=cast.carol.may, now=NOON)
    sources.end(source=late, by=cast.carol.may, now=on(1, late))

    assert credit(cast.firm) == 100_000
    assert balances(cast.firm)[Account.EXPIRED] == -200_000
    assert faults(cast.firm) == []


def test_reminds_thirty_and_seven_days_before_once(cast: Cast) -> None:
    source = top_up(cast)
    found = []
    for days in (-31, -30, -29, -7, -7, -1, 0):
        prepaid.sweep(now=on(days, source))
        found.append(told(cast, "prepaid.expires"))

    assert found == [0, 1, 1, 2, 2, 2, 2]


def test_a_payment_that_is_taken_back_takes_what_is_left_of_it(cast: Cast) -> None:
    source = top_up(cast, 100_000)
    made = invoice(cast, ("tokens", 50_000))
    drawing.apply(made, now=NOON)  # 55,000

    bookings.reverse_payment(
        payment=Payment.objects.get(),
        reference="undo",
        won=100_000,
        because="잘못 넣은 돈",
        by=cast.alice.may,
        now=NOON,
    )

    assert (prepaid.left_won(source), credit(cast.firm), opens(cast.firm)) == (0, 0, [55_000])
    assert Account.PREPAID not in balances(cast.firm)
    assert faults(cast.firm) == []


# ─── when invoices are issued ──────────────────────────────────────────────────────────────────


def test_the_month_end_draws_from_those_who_have_sources(cast: Cast, prices: None) -> None:
    top_up(cast, 10_000)
    receive(cast.firm, 500, "dep_2:1")
    use(cast.project, 200_000_000)
    with rls.everyone(because="test: month end"):
        other = factories.organization("회사", number=None)
        use(factories.project(other))
        run(AFTER)
        run(REVIEWED)
        bookings.sweep(now=REVIEWED)
        bookings.sweep(now=REVIEWED)  # credit is used once

        made = Invoice.objects.get(organization=cast.firm)
        assert made.total_won > 10_500
        assert [(one.kind, one.won) for one in drawing.parts_of(made)] == [
            ("prepaid", 10_000),
            ("own", made.total_won - 10_000),
        ]
        assert drawing.parts_of(Invoice.objects.get(organization=other)) == []
        assert list(books.verify(now=NOON, use=False)) == []
    assert opens(cast.firm) == [made.total_won - 10_500]


def test_an_interim_invoice_is_drawn_and_uses_credit_at_once(cast: Cast, prices: None) -> None:
    top_up(cast, 10_000)
    receive(cast.firm, 500, "dep_2:1")
    use(cast.project, 200_000_000)

    made = invoices.issue_interim(
        organization=cast.firm, by=cast.alice.may, now=NOVEMBER.period.end
    )

    assert made is not None
    assert opens(cast.firm) == [made.total_won - 10_500]
    assert faults(cast.firm) == []


def test_one_that_cannot_be_drawn_is_set_aside_alone(cast: Cast, prices: None) -> None:
    """Drawing stands in the transaction that issues: no invoice without its draws."""
    top_up(cast, 10_000)
    PrepaidEntry.objects.create(
        organization=cast.firm,
        source=FundingSource.objects.get(),
        payment=Payment.objects.get(),
        won=-20_000,  # the books are broken: less than nothing is left
        because="drawn",
        at=NOON,
    )
    use(cast.project, 200_000_000)
    with rls.everyone(because="test: month end"):
        other = factories.organization("회사", number=None)
        use(factories.project(other))
        run(AFTER)
        run(REVIEWED)

        assert list(Invoice.objects.values_list("organization", flat=True)) == [other.pk]


def test_the_books_find_what_does_not_agree(cast: Cast) -> None:
    source = top_up(cast)
    made = invoice(cast, ("tokens", 50_000))
    drawing.apply(made, now=NOON)
    payment = Payment.objects.get()

    PrepaidEntry.objects.create(
        organization=cast.firm, source=source, payment=payment, won=7, because="topup", at=NOON
    )
    words = {"organization": cast.firm, "position": 9, "cost": "1", "won": 99_999, "at": NOON}
    FundingDraw.objects.create(invoice=made, source=source, **words)

    assert sorted(one.partition(":")[0] for one in faults(cast.firm)) == [
        "funding draws",
        "funding source",
        "prepaid",
    ]


def test_another_organization_sees_none(cast: Cast) -> None:
    top_up(cast)

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not PrepaidTopUp.objects.exists()
        assert not PrepaidEntry.objects.exists()
