"""Bank statements: shown, booked once, placed by a person, undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import DatabaseError, transaction

from billing import receivables
from billing.models import Account, BankLine, BankStatement, Invoice, LineState, Payment
from billing.payments import deposits, refunds, statements
from billing.payments.statements import AlreadyBooked, AlreadyHandedIn, Refused
from tenants import reasons, rls
from tenants.actors import Actor, NotAllowed
from tenants.models import Organization
from tests import factories
from tests.billing.payments.conftest import balances, bill
from tests.cast import Cast
from tests.factories import NOON

HEAD = "거래일시,적요,보내는분,출금액,입금액,거래후잔액"
REASON = "다른 기관의 입금입니다."


@pytest.fixture(autouse=True)
def staff(cast: Cast) -> Iterator[None]:
    """As the operator's people: they see all organizations."""
    with rls.everyone(because="test"):
        yield


def row(number: int, won: int, payer: str = "", memo: str = "") -> str:
    minutes, seconds = divmod(number, 60)
    return f'2026-11-16 09:{minutes:02d}:{seconds:02d},{memo},{payer},0,"{won:,}",{number * 1000}'


def hand_in(
    by: Actor, *rows: str, encoding: str = "cp949", name: str = "11월.csv"
) -> BankStatement:
    raw = "\n".join([HEAD, *rows]).encode(encoding)
    return statements.hand_in(name=name, raw=raw, by=by, now=NOON)


def waiting() -> list[BankLine]:
    return list(BankLine.objects.all().open())


def test_books_nothing_before_it_is_told_to(cast: Cast, olivia: Actor) -> None:
    bill(cast.firm, 1000)
    statement = hand_in(olivia, row(1, 1000, memo=cast.firm.code), row(2, 5, "누구"))

    shown = statements.preview(statement, now=NOON)

    assert [(one.state, one.customer) for one in shown.rows] == [("new", "한빛정밀"), ("new", "")]
    assert (shown.matched, shown.new_won) == (1, 1005)
    assert not BankLine.objects.exists() and not Payment.objects.exists()


def test_a_statement_of_200_lines_of_which_20_match_nobody(cast: Cast, olivia: Actor) -> None:
    firms = [factories.organization(f"기관{number:03d}", number=None) for number in range(60)]
    rows, number = [], 0
    for firm in firms:
        invoices = [bill(firm, 10_000 + number * 7 + part) for part in range(3)]
        rows += [
            row(number, invoices[0].total_won, memo=f"{firm.code.upper()} 11월"),
            row(number + 1, invoices[1].total_won, "모름", invoices[1].number),
            row(number + 2, invoices[2].total_won, f"(주){firm.name}"),
        ]
        number += 3
    rows += [row(number + one, 77_777 + one, f"모르는 분{one}") for one in range(20)]

    booking = statements.book(statement=hand_in(olivia, *rows), by=olivia, now=NOON)

    assert (booking.lines, booking.matched, booking.repeated) == (200, 180, 0)
    assert len(waiting()) == 20 and Payment.objects.count() == 180
    assert not receivables.everybodys_open().exists()
    queued = sum(one.won for one in waiting())
    assert balances(olivia.organization) == {Account.BANK: queued, Account.UNMATCHED: -queued}


def test_the_same_file_comes_in_once(cast: Cast, olivia: Actor) -> None:
    statement = hand_in(olivia, row(1, 1000))

    with pytest.raises(AlreadyHandedIn) as error:
        hand_in(olivia, row(1, 1000), name="other.csv")

    assert error.value.statement == statement


def test_a_line_is_booked_once_whatever_files_it_comes_with(cast: Cast, olivia: Actor) -> None:
    statements.book(statement=hand_in(olivia, row(1, 1000), row(2, 5)), by=olivia, now=NOON)
    again = hand_in(olivia, row(2, 5), row(3, 7), encoding="utf-8-sig")

    booking = statements.book(statement=again, by=olivia, now=NOON)

    assert (booking.lines, booking.repeated, booking.total_won) == (1, 1, 7)
    assert BankLine.objects.count() == 3


def test_lines_that_say_the_same_are_left_out_unless_somebody_says_otherwise(
    cast: Cast, olivia: Actor
) -> None:
    first = hand_in(olivia, row(1, 1000), row(1, 1000))
    assert statements.book(statement=first, by=olivia, now=NOON).lines == 1

    second = hand_in(olivia, row(1, 1000), row(1, 1000), row(1, 1000))
    booking = statements.book(statement=second, twins=True, by=olivia, now=NOON)

    assert (booking.lines, booking.repeated) == (2, 1)


def test_a_statement_is_booked_once(cast: Cast, olivia: Actor) -> None:
    statement = hand_in(olivia, row(1, 1000))
    statements.book(statement=statement, by=olivia, now=NOON)

    with pytest.raises(AlreadyBooked):
        statements.book(statement=statement, by=olivia, now=NOON)


def test_a_file_that_cannot_be_read_leaves_nothing(cast: Cast, olivia: Actor) -> None:
    with pytest.raises(Refused, match="2"):
        hand_in(olivia, row(1, 1000).replace("1,000", "-1,000"))

    assert not BankStatement.objects.exists()


def test_every_refusal_has_its_sentence() -> None:
    import re
    from pathlib import Path

    source = Path("billing/payments/bank_files.py").read_text()
    rules = set(re.findall(r'BadStatement\("(\w+)"', source))

    assert rules
    for rule in rules:
        assert statements.sentence(statements.BadStatement(rule, line=7, text="x"))


def place(line: BankLine, of: Organization, by: Actor, invoice: Invoice | None = None) -> Payment:
    return deposits.place(line=line, organization=of, invoice=invoice, by=by, now=NOON)


def test_a_person_places_what_waits(cast: Cast, olivia: Actor) -> None:
    bill(cast.firm, 1000)
    named = bill(cast.firm, 600)
    statements.book(statement=hand_in(olivia, row(1, 600, "사장님")), by=olivia, now=NOON)
    (line,) = waiting()

    payment = place(line, cast.firm, olivia, named)

    assert receivables.open_won(named) == 0 and waiting() == []
    assert payment.payer == "사장님"
    assert balances(olivia.organization) == {}
    assert balances(cast.firm) == {Account.BANK: 600, Account.RECEIVABLE: -600}
    with pytest.raises(deposits.LineMoved):
        place(line, cast.mallory.may.organization, olivia)


def test_what_was_placed_wrongly_is_undone_and_placed_anew(cast: Cast, olivia: Actor) -> None:
    bill(cast.firm, 1000)
    theirs = bill(cast.mallory.may.organization, 1000)
    statement = hand_in(olivia, row(1, 1000, memo=cast.firm.code))
    statements.book(statement=statement, by=olivia, now=NOON)
    line = BankLine.objects.get()

    deposits.undo(line=line, because=REASON, by=olivia, now=NOON)
    place(waiting()[0], cast.mallory.may.organization, olivia)

    assert [one.open for one in receivables.open_invoices(cast.firm)] == [1000]
    assert receivables.open_won(theirs) == 0
    assert balances(cast.firm) == {} and balances(olivia.organization) == {}
    assert [one.to_state for one in line.moves.all()] == ["matched", "open", "matched"]
    assert Payment.objects.count() == 2


def test_what_was_paid_back_is_not_undone(cast: Cast, olivia: Actor, paul: Actor) -> None:
    from portal.routing import deciding

    statement = hand_in(olivia, row(1, 1000, memo=cast.firm.code))
    statements.book(statement=statement, by=olivia, now=NOON)
    proposal = refunds.propose(
        payment=Payment.objects.get(), won=400, because=REASON, by=olivia, now=NOON
    )
    deciding.approve(proposal=proposal, by=paul, now=NOON)

    with pytest.raises(deposits.RefundedMeanwhile):
        deposits.undo(line=BankLine.objects.get(), because=REASON, by=olivia, now=NOON)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (LineState.PAYOUT, {Account.BANK: 900, Account.CARDS: -900}),
        (LineState.RETURNED, {}),
    ],
)
def test_sets_aside_what_is_no_customers(
    cast: Cast, olivia: Actor, to: LineState, expected: dict[Account, int]
) -> None:
    statements.book(statement=hand_in(olivia, row(1, 900, "STRIPE")), by=olivia, now=NOON)
    (line,) = waiting()

    deposits.set_aside(line=line, to=to, because=REASON, by=olivia, now=NOON)
    assert balances(olivia.organization) == expected and waiting() == []

    deposits.undo(line=line, because=REASON, by=olivia, now=NOON)
    assert waiting() == [line]
    with pytest.raises(deposits.LineMoved):
        deposits.undo(line=line, because=REASON, by=olivia, now=NOON)


def test_asks_for_reasons_and_a_customer(cast: Cast, olivia: Actor) -> None:
    statements.book(statement=hand_in(olivia, row(1, 900)), by=olivia, now=NOON)
    (line,) = waiting()

    with pytest.raises(reasons.BadReason):
        deposits.set_aside(line=line, to=LineState.RETURNED, because=" ", by=olivia, now=NOON)
    with pytest.raises(deposits.NotACustomer):
        place(line, olivia.organization, olivia)


def test_a_virtual_account_is_its_customers(cast: Cast, olivia: Actor) -> None:
    deposits.give_account(
        organization=cast.firm, bank="한강은행", number="999-123-45678", by=olivia, now=NOON
    )
    raw = "거래일시,입금액,가상계좌번호\n2026-11-16 09:00,500,999-12345678".encode()
    statement = statements.hand_in(name="va.csv", raw=raw, by=olivia, now=NOON)

    statements.book(statement=statement, by=olivia, now=NOON)

    assert Payment.objects.get().organization == cast.firm
    for number in ("1234567", "1" * 21, ""):
        with pytest.raises(deposits.BadAccount):
            deposits.give_account(
                organization=cast.firm, bank="한강은행", number=number, by=olivia, now=NOON
            )


def test_needs_the_verb(cast: Cast, olivia: Actor) -> None:
    weak = replace(olivia, verbs=olivia.verbs - {"operator.payments"})
    statement = hand_in(olivia, row(1, 900))

    for deed in (
        lambda: hand_in(weak, row(2, 900)),
        lambda: statements.book(statement=statement, by=weak, now=NOON),
    ):
        with pytest.raises(NotAllowed):
            deed()


def test_the_database_keeps_lines_as_they_came(cast: Cast, olivia: Actor) -> None:
    statements.book(statement=hand_in(olivia, row(1, 900)), by=olivia, now=NOON)

    for rows in (BankLine.objects.all(), BankStatement.objects.all()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rows.update(organization=cast.firm)


def test_customers_see_nothing_of_the_bank(cast: Cast, olivia: Actor) -> None:
    statements.book(statement=hand_in(olivia, row(1, 900)), by=olivia, now=NOON)

    with rls.tenant(cast.firm.pk):
        assert not BankLine.objects.exists() and not BankStatement.objects.exists()


def test_a_line_of_tomorrow_is_refused(cast: Cast, olivia: Actor) -> None:
    tomorrow = row(1, 900).replace("2026-11-16", "2026-11-17")

    with pytest.raises(Refused):
        hand_in(olivia, tomorrow)
