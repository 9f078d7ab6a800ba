"""원인행위 and 지출: the register, changes, cancellations, payments, refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing.fiscal import enforcement, journal
from billing.fiscal.journal import Note
from billing.fiscal.lines import Entry
from billing.fiscal.movements import Kind, Movement
from billing.models import (
    BudgetLine,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalMovement,
    FiscalYear,
)
from portal.lib import ids
from tenants import actors, audit, names, reasons
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Paper:
    """What a commitment is about."""

    subject: str
    counterparty: str
    document: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a commitment that the product makes by itself comes from."""

    origin: CommitmentOrigin = CommitmentOrigin.DOCUMENT
    project: str = ""
    reference: str = ""
    month: str = ""


def record(
    *, line: BudgetLine, paper: Paper, entry: Entry, by: Actor, now: datetime
) -> FiscalCommitment:
    """원인행위 of a contract or paper. ``Broken`` above what is left of the allotment,
    ``UsedAlready`` if running use has taken it, ``BadName``."""
    by.require("budgets.change")
    paper = Paper(
        names.normalized(paper.subject, longest=120),
        names.normalized(paper.counterparty, longest=80),
        paper.document,
    )
    wanted = Movement(line.public_id, Kind.COMMITMENT, entry.won, entry.on, commitment="new")
    enforcement.tell_before(line, wanted, by=by, now=now)
    with actors.scope_for(by), transaction.atomic():
        year = journal.lock(line.fiscal_year)
        made = write(year, line, paper, entry, Source(), by, now)
        enforcement.keep(year, [line], now=now)
    return made


def write(
    year: FiscalYear,
    line: BudgetLine,
    paper: Paper,
    entry: Entry,
    source: Source,
    by: Actor,
    now: datetime,
) -> FiscalCommitment:
    """The next number, its line of the register, and its movement. ``year`` is locked."""
    made = FiscalCommitment.objects.create(
        public_id=ids.mint("fco"),
        organization_id=year.organization_id,
        fiscal_year=year,
        line=line,
        number=year.last_commitment + 1,
        origin=source.origin,
        subject=paper.subject,
        counterparty=paper.counterparty,
        document=paper.document[:80],
        project=source.project,
        reference=source.reference,
        month=source.month,
        on_date=entry.on,
        recorded_at=now,
        by=by.label[:120],
    )
    movement = Movement(
        line.public_id,
        Kind.COMMITMENT,
        entry.won,
        entry.on,
        commitment=made.public_id,
        used=source.origin == CommitmentOrigin.USAGE,
    )
    note = Note(because=entry.because, document=paper.document, project=source.project)
    journal.post(year=year, movements=[movement], note=note, by=by, now=now)
    year.last_commitment += 1
    year.save(update_fields=["last_commitment"])
    made.fiscal_year = year
    _record("fiscal.commitment", made, entry.won, entry, by, now)
    return made


def change(
    *, commitment: FiscalCommitment, entry: Entry, by: Actor, now: datetime
) -> FiscalMovement:
    """변경: ``entry.won`` more, or less below zero. ``Broken``, ``UsedAlready``, ``BadReason``."""
    reasons.normalized(entry.because)
    return _write(commitment, Kind.CHANGE, entry.won, entry, by, now)


def cancel(
    *, commitment: FiscalCommitment, entry: Entry, by: Actor, now: datetime
) -> FiscalMovement:
    """취소: nothing of it was spent; ``entry.won`` is not looked at. ``Broken``, ``BadReason``."""
    reasons.normalized(entry.because)
    with actors.scope_for(by):
        won = sums(commitment)[0]
    return _write(commitment, Kind.CANCELLATION, -won, entry, by, now)


def spend(
    *, commitment: FiscalCommitment, entry: Entry, by: Actor, now: datetime
) -> FiscalMovement:
    """지출 against a commitment. ``Broken``."""
    return _write(commitment, Kind.EXPENDITURE, entry.won, entry, by, now)


def refund(
    *, commitment: FiscalCommitment, entry: Entry, by: Actor, now: datetime
) -> FiscalMovement:
    """반납(여입): ``entry.won`` of what was spent has come back. ``Broken``, ``BadReason``."""
    reasons.normalized(entry.because)
    return _write(commitment, Kind.REFUND, -entry.won, entry, by, now)


def _write(
    commitment: FiscalCommitment, kind: Kind, won: int, entry: Entry, by: Actor, now: datetime
) -> FiscalMovement:
    by.require("budgets.change")
    line = commitment.line
    movement = Movement(line.public_id, kind, won, entry.on, commitment=commitment.public_id)
    enforcement.tell_before(
        line, movement, by=by, now=now, origin=CommitmentOrigin(commitment.origin)
    )
    with actors.scope_for(by), transaction.atomic():
        year = journal.lock(commitment.fiscal_year)
        row = journal.post(year=year, movements=[movement], note=entry.note, by=by, now=now)[0]
        enforcement.keep(year, [line], now=now)
        _record(f"fiscal.{kind}", commitment, won, entry, by, now)
    return row


def sums(commitment: FiscalCommitment) -> tuple[int, int]:
    """(how much it is, how much of it is spent) in won."""
    rows = commitment.movements.all()
    line = journal.book_of(commitment.fiscal_year, rows).line(commitment.line.public_id)
    found = line.commitments.get(commitment.public_id)
    return (found.won, found.spent) if found else (0, 0)


def _record(
    verb: str, commitment: FiscalCommitment, won: int, entry: Entry, by: Actor, now: datetime
) -> None:
    audit.record(
        verb,
        by=by,
        now=now,
        subject=commitment.public_id,
        changes={"number": commitment.label, "won": won, "on": entry.on.isoformat()},
        because=entry.because,
    )
