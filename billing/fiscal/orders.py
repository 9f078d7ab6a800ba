"""Orders of endpoints and reservations: a 원인행위 when they are ordered, and each month anew.

An order commits the worst case of its month; when it has ended, what it really cost. It commits
in the same transaction as its own rows, so that neither is there without the other.
"""

from __future__ import annotations

from datetime import datetime

from billing.fiscal import bindings, calendar, commitments, enforcement, journal
from billing.fiscal.book import Broken
from billing.fiscal.calendar import Phase
from billing.fiscal.commitments import Paper, Source
from billing.fiscal.journal import Note
from billing.fiscal.lines import Entry
from billing.fiscal.movements import Kind, Movement
from billing.fiscal.refusals import Refusal, sentence
from billing.models import (
    BudgetLine,
    Commitment,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalMovement,
)
from portal.lib.periods import Month, seoul_date
from tenants.actors import Actor
from tenants.models import Project


class LineRefuses(Refusal):
    """The project's budget line has no room for an order."""

    def __init__(self, line: BudgetLine, broken: Broken) -> None:
        super().__init__(line, broken)
        self.line, self.broken = line, broken

    def __str__(self) -> str:
        return f"{self.line}: {sentence(self.broken)}"


def commit(
    order: Commitment, *, project: Project, subject: str, seller: str, by: Actor, now: datetime
) -> FiscalCommitment | None:
    """원인행위 of an order's month, where a line pays for the project. The same again changes
    nothing. ``LineRefuses``, ``NoLine``."""
    month = Month.parse(order.month)
    line = bindings.line_of(project, year=month.year)
    if line is None:
        return None
    known = FiscalCommitment.objects.filter(reference=order.reference, month=order.month).first()
    if known is not None:
        return known
    year = journal.lock(line.fiscal_year)
    entry = Entry(enforcement.gross_won(order.amount_micro), seoul_date(now))
    source = Source(CommitmentOrigin.ORDER, project.public_id, order.reference, order.month)
    paper = Paper(subject[:120], seller[:80], order.reference)
    try:
        return commitments.write(year, line, paper, entry, source, by, now)
    except Broken as broken:
        raise LineRefuses(line, broken) from broken


def settle(
    order: Commitment, *, amount_micro: int, by: Actor, now: datetime
) -> FiscalMovement | None:
    """The order has ended and cost so much: the rest is free again. Never below what is spent."""
    found = (
        FiscalCommitment.objects.filter(reference=order.reference, month=order.month)
        .select_related("line", "fiscal_year")
        .first()
    )
    if found is None:
        return None
    year = journal.lock(found.fiscal_year)
    if journal.phase_of(year, now) not in (Phase.OPEN, Phase.SETTLING):
        return None  # what is left of it is decided by the close
    won, spent = commitments.sums(found)
    less = max(enforcement.gross_won(amount_micro), spent) - won
    if less >= 0:
        return None
    movement = Movement(
        found.line.public_id,
        Kind.CHANGE,
        less,
        min(seoul_date(now), calendar.last_payment_day(year.year)),
        commitment=found.public_id,
    )
    note = Note(because="What it really cost.", document=order.reference)
    return journal.post(year=year, movements=[movement], note=note, by=by, now=now)[0]
