"""Budget lines: made, appropriated, allotted by quarter, and taken back again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, transaction

from billing.fiscal import book, enforcement, journal
from billing.fiscal.journal import Note
from billing.fiscal.movements import Kind, Movement
from billing.fiscal.refusals import LineTaken, NotReversible
from billing.models import BudgetLine, FiscalMovement, FiscalYear, FiscalYearState
from portal.lib import ids
from tenants import actors, audit, names, reasons
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Entry:
    """What an officer writes down: whole won, the day, and why."""

    won: int
    on: date
    because: str = ""
    document: str = ""

    @property
    def note(self) -> Note:
        return Note(because=self.because, document=self.document)


_PLAIN = re.compile(r"\A[0-9A-Za-z-]{1,11}\Z")


def line_id(code: str) -> str:
    """``bln_201-02_4k2…``: the gateway names the line that has no room by its id, and knows
    nothing else of it."""
    return f"bln_{code}_{ids.mint('')[1:9]}" if _PLAIN.match(code) else ids.mint("bln")


@transaction.atomic
def create(*, year: FiscalYear, code: str, name: str, by: Actor, now: datetime) -> BudgetLine:
    """A line without money. ``LineTaken``, ``BadName``."""
    by.require("budgets.change")
    try:
        with transaction.atomic():
            line = BudgetLine.objects.create(
                public_id=line_id(code),
                organization_id=year.organization_id,
                fiscal_year=year,
                code=names.normalized(code, longest=20),
                name=names.normalized(name, longest=60),
                created_at=now,
            )
    except IntegrityError as error:
        raise LineTaken from error
    audit.record(
        "fiscal.line",
        by=by,
        now=now,
        subject=line.public_id,
        changes={"code": line.code, "name": line.name},
    )
    return line


def appropriate(*, line: BudgetLine, entry: Entry, by: Actor, now: datetime) -> FiscalMovement:
    """편성 while the year is planned; 추경 afterwards, which may also reduce. ``Broken``,
    ``BadReason`` for a supplement without a reason."""
    planned = line.fiscal_year.state == FiscalYearState.PLANNED
    if not planned:
        reasons.normalized(entry.because)
    kind = Kind.APPROPRIATION if planned else Kind.SUPPLEMENT
    return _write(line, Movement(line.public_id, kind, entry.won, entry.on), entry.note, by, now)


def allot(
    *, line: BudgetLine, entry: Entry, quarter: int, by: Actor, now: datetime
) -> FiscalMovement:
    """배정: may be committed from the quarter's first day on. ``Broken``."""
    movement = Movement(line.public_id, Kind.ALLOTMENT, entry.won, entry.on, quarter)
    return _write(line, movement, entry.note, by, now)


def reallot(
    *, line: BudgetLine, entry: Entry, source: int, quarter: int, by: Actor, now: datetime
) -> FiscalMovement:
    """재배정: from one quarter to another; quarter 0 gives back what is not allotted then.
    ``Broken``, ``BadReason``."""
    reasons.normalized(entry.because)
    movement = Movement(line.public_id, Kind.REALLOTMENT, entry.won, entry.on, quarter, source)
    return _write(line, movement, entry.note, by, now)


def reverse(*, movement: FiscalMovement, because: str, by: Actor, now: datetime) -> FiscalMovement:
    """Take an entry back by its opposite, once, under the same rules. ``NotReversible``,
    ``Broken``, ``BadReason``."""
    opposite = book.reversal(journal.movement_of(movement))
    with actors.scope_for(by):
        done = FiscalMovement.objects.filter(reverses=movement).exists()
    if opposite is None or movement.reverses_id is not None or movement.usage_month or done:
        raise NotReversible
    note = Note(because=reasons.normalized(because), document=movement.document, reverses=movement)
    return _write(movement.line, opposite, note, by, now)


def _write(
    line: BudgetLine, movement: Movement, note: Note, by: Actor, now: datetime
) -> FiscalMovement:
    by.require("budgets.change")
    enforcement.tell_before(line, movement, by=by, now=now)
    with actors.scope_for(by), transaction.atomic():
        year = journal.lock(line.fiscal_year)
        try:
            with transaction.atomic():
                row = journal.post(year=year, movements=[movement], note=note, by=by, now=now)[0]
        except IntegrityError as error:  # reversed by somebody else a moment ago
            raise NotReversible from error
        enforcement.keep(year, [line], now=now)
        audit.record(
            f"fiscal.{movement.kind}",
            by=by,
            now=now,
            subject=line.public_id,
            changes={"won": movement.won, "on": movement.on.isoformat()},
            because=note.because,
        )
    return row
