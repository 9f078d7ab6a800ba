"""Bank statements: handed in, looked at, booked.

A statement and its lines are the operator's. The file is kept whole when it is handed in; what
booking it would do is shown first. What becomes of each deposit: ``deposits``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing import receivables
from billing.models import BankBooking, BankLine, BankStatement, LineState, VirtualAccount
from billing.payments import bank_files, deposits, matching
from billing.payments.bank_files import BadStatement, Deposit
from billing.payments.deposits import VERB
from billing.payments.matching import Book, Found, Open
from portal.lib import ids
from tenants import audit
from tenants.actors import Actor
from tenants.models import Organization


class AlreadyHandedIn(Exception):
    """``statement`` is the one of before."""

    def __init__(self, statement: BankStatement) -> None:
        super().__init__(statement.public_id)
        self.statement = statement

    def __str__(self) -> str:
        return _("This file was handed in before. Here it is.")


class AlreadyBooked(Exception):
    def __str__(self) -> str:
        return _("This statement is booked already.")


class Refused(Exception):
    """A file that cannot be booked; the sentence has the rule, the line and what stands there."""

    def __init__(self, bad: BadStatement) -> None:
        super().__init__(bad.rule)
        self.rule, self.line = bad.rule, bad.line
        self.bad = bad

    def __str__(self) -> str:
        return sentence(self.bad)


def sentence(bad: BadStatement) -> str:
    """Why a file is refused, and what to do."""
    said = {
        "too_large": _("The file is larger than 2 MB. Export a shorter period."),
        "a_workbook": _("This is an Excel workbook. Save it as CSV and hand in that file."),
        "no_text": _("The file is no text. Export it as CSV."),
        "broken_text": _("The file's Korean letters are broken. Export it anew; do not save it."),
        "encoding": _("The file is neither UTF-8 nor CP949 (Korean Windows). Export it anew."),
        "no_csv": _("Line %(line)s is no CSV. Export the file anew."),
        "too_many": _("The file has more than 5,000 lines. Export a shorter period."),
        "heading_twice": _("The heading “%(text)s” in line %(line)s means the same as another."),
        "no_headings": _(
            "There are no headings: a day (거래일시) and deposits (입금액) are needed."
        ),
        "no_deposits": _("The file has no deposit."),
        "both_ways": _("Line %(line)s is a deposit and a withdrawal at once."),
        "future": _("Line %(line)s lies in the future: %(text)s."),
        "amount": _("Line %(line)s: “%(text)s” is no amount in whole won, such as 1,234,567."),
        "amount_too_large": _("Line %(line)s: %(text)s is more than a trillion won."),
        "day": _("Line %(line)s: “%(text)s” is no day, such as 2026-11-16."),
        "time": _("Line %(line)s: “%(text)s” is no time, such as 09:30:00."),
    }[bad.rule]
    return said % {"line": bad.line, "text": bad.text}


@transaction.atomic
def hand_in(*, name: str, raw: bytes, by: Actor, now: datetime) -> BankStatement:
    """Keep a file that can be read. Nothing is booked yet. ``Refused``, ``AlreadyHandedIn``."""
    by.require(VERB)
    digest = hashlib.sha256(raw).hexdigest()
    known = BankStatement.objects.filter(sha256=digest).first()
    if known is not None:
        raise AlreadyHandedIn(known)
    try:
        found = bank_files.read(raw, now=now)
    except BadStatement as error:
        raise Refused(error) from error
    statement = BankStatement.objects.create(
        public_id=ids.mint("stm"),
        organization=by.organization,
        name=name[:120] or "statement.csv",
        content=raw,
        sha256=digest,
        handed_in_at=now,
        by_ref=audit.actor_ref(by),
    )
    changes = {"lines": len(found)}
    audit.record("bank.hand_in", by=by, now=now, subject=statement.public_id, changes=changes)
    return statement


@dataclass(frozen=True, slots=True)
class Row:
    """A deposit as it would be booked. ``state``: new, known (from another file) or twin."""

    deposit: Deposit
    state: str
    found: Found
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    rows: list[Row]

    def count(self, state: str) -> int:
        return sum(row.state == state for row in self.rows)

    @property
    def new_won(self) -> int:
        return sum(row.deposit.won for row in self.rows if row.state == "new")

    @property
    def matched(self) -> int:
        return sum(row.state == "new" and row.found.match is not None for row in self.rows)


def preview(statement: BankStatement, *, twins: bool = False, now: datetime) -> Preview:
    """What booking would do now. ``twins``: lines that say the same are deposits of their own."""
    read = bank_files.read(bytes(statement.content), now=max(now, statement.handed_in_at))
    if twins:
        read = list(bank_files.counted(read))
    contents = [one.content for one in read]
    known = set(BankLine.objects.filter(content__in=contents).values_list("content", flat=True))
    book, names = open_book(), dict(_customers().values_list("pk", "name"))
    rows = []
    for one in read:
        twin = one.twin_of and not twins
        state = "known" if one.content in known else "twin" if twin else "new"
        found = find(book, one)
        rows.append(
            Row(one, state, found, names.get(found.match.organization, "") if found.match else "")
        )
    return Preview(rows)


def _customers() -> QuerySet[Organization]:
    return Organization.objects.exclude(kind="operator")


def open_book() -> Book:
    """Everything that deposits are compared with."""
    return Book(
        references={
            matching.reference_of(code): pk for pk, code in _customers().values_list("pk", "code")
        },
        accounts=dict(VirtualAccount.objects.values_list("number", "organization")),
        open=[
            Open(one.public_id, one.number, one.organization_id, one.buyer["name"], one.open)
            for one in receivables.everybodys_open()
        ],
    )


def find(book: Book, one: Deposit | BankLine) -> Found:
    return book.find(won=one.won, payer=one.payer, memo=one.memo, account=one.account)


@transaction.atomic
def book(*, statement: BankStatement, twins: bool = False, by: Actor, now: datetime) -> BankBooking:
    """Book every line that is not known yet, all or nothing. ``AlreadyBooked``."""
    by.require(VERB)
    operator = Organization.objects.select_for_update(no_key=True).get(pk=by.organization.pk)
    if BankBooking.objects.filter(statement=statement).exists():
        raise AlreadyBooked
    shown = preview(statement, twins=twins, now=now)
    new = [row for row in shown.rows if row.state == "new"]
    # customers are locked in one order, whatever the order of the lines
    new.sort(key=lambda row: row.found.match.organization if row.found.match else 0)
    for row in new:
        line = _line(operator, statement, row.deposit)
        if row.found.match is None:
            deposits.move(line, "", LineState.OPEN, by=by, now=now)
        else:
            because = f"matched by {row.found.match.by}"
            deposits.place_line(line, "", row.found.match, because, by, now)
    booking = BankBooking.objects.create(
        organization=operator,
        statement=statement,
        lines=len(new),
        matched=shown.matched,
        repeated=len(shown.rows) - len(new),
        total_won=shown.new_won,
        at=now,
        by_ref=audit.actor_ref(by),
    )
    changes = {"lines": booking.lines, "matched": booking.matched, "won": booking.total_won}
    audit.record("bank.book", by=by, now=now, subject=statement.public_id, changes=changes)
    return booking


def _line(operator: Organization, statement: BankStatement, deposit: Deposit) -> BankLine:
    return BankLine.objects.create(
        public_id=ids.mint("dep"),
        organization=operator,
        statement=statement,
        position=deposit.line,
        content=deposit.content,
        at=deposit.at,
        won=deposit.won,
        payer=deposit.payer,
        memo=deposit.memo,
        account=deposit.account,
    )
