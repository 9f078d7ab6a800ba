"""The end of a fiscal year: a rehearsal that changes nothing, and the close that does the same.

Both make the same plan out of the same book. The close writes it into the journal, puts what is
carried over into lines of the next year, and ends the year for good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from billing.fiscal import calendar, carryovers, close, commitments, journal, usage, years
from billing.fiscal import unpaid as accounts
from billing.fiscal.book import Book, Broken, Rule
from billing.fiscal.calendar import Phase
from billing.fiscal.close import Carried, Decision, LineClose
from billing.fiscal.commitments import Paper, Source
from billing.fiscal.journal import Note
from billing.fiscal.lines import Entry, line_id
from billing.fiscal.movements import Columns, Kind, Movement
from billing.fiscal.refusals import NextYearNotDecided, Unsettled, YearNotOver
from billing.fiscal.unpaid import Unpaid
from billing.fiscal.usage import Unbooked
from billing.models import (
    BudgetLine,
    CarryKind,
    Carryover,
    FiscalCommitment,
    FiscalTransfer,
    FiscalYear,
    FiscalYearState,
    TransferState,
)
from portal.lib.periods import seoul_date
from tenants import reasons
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A commitment that is not paid whole."""

    commitment: FiscalCommitment
    won: int
    carryover: Carryover | None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What closing the year now would do, and what stands in its way. ``late``: use that can not be
    booked any more, because the year is over for payments: a line of the next year pays it."""

    lines: tuple[tuple[BudgetLine, LineClose], ...]
    outstanding: tuple[Outstanding, ...]
    unbooked: tuple[Unbooked, ...]
    late: tuple[Unbooked, ...]
    transfers: tuple[FiscalTransfer, ...]
    unpaid: Unpaid | None  # of the whole organization, so not for who sees some lines only

    @property
    def closes(self) -> list[LineClose]:
        """What becomes of each line."""
        return [one for _, one in self.lines]

    @property
    def columns(self) -> Columns:
        """The sum of all lines."""
        found = [one for _, one in self.lines]
        return Columns(
            current=sum(one.current for one in found),
            spent=sum(one.spent for one in found),
            carried=sum(one.carried_won for one in found),
            lapsed=sum(one.lapsed_won for one in found),
        )

    @property
    def blocking(self) -> int:
        """How many things have to be settled first. Neither unpaid invoices hinder a close nor use
        that came too late for it."""
        return len(self.unbooked) + len(self.transfers)

    @property
    def carries(self) -> list[Carried]:
        return [carried for _, line in self.lines for carried in line.carried]


def rehearse(year: FiscalYear, *, now: datetime) -> Rehearsal:
    """Reads and plans; writes nothing."""
    return replace(_plan(year, now), unpaid=accounts.of(year, now=now))


def rehearse_for(actor: Actor, year: FiscalYear, *, now: datetime) -> Rehearsal:
    """What of it concerns the lines that the actor sees; the rest is not read where it need not."""
    if actor.projects is None:
        return rehearse(year, now=now)
    return seen_by(actor, _plan(year, now))


def _plan(year: FiscalYear, now: datetime) -> Rehearsal:
    """Without what is unpaid, which decides nothing."""
    lines = list(year.lines.select_related("fiscal_year").order_by("code", "carried", "pk"))
    book = journal.book_of(year)
    decided = carryovers.decisions(year)
    plan = close.plan(book, [one.public_id for one in lines], decided)
    waiting = tuple(usage.unbooked(year, now=now))
    over = journal.phase_of(year, now) == Phase.OVER
    return Rehearsal(
        lines=tuple(zip(lines, plan, strict=True)),
        outstanding=tuple(_outstanding(year, book, decided.values())),
        unbooked=() if over else waiting,
        late=waiting if over else (),
        transfers=tuple(
            year.transfers.filter(state=TransferState.OPEN).select_related("source", "target")
        ),
        unpaid=None,
    )


def seen_by(actor: Actor, plan: Rehearsal) -> Rehearsal:
    """What of it concerns the lines that the actor sees."""
    if actor.projects is None:
        return plan
    seen = set(BudgetLine.objects.visible_to(actor).values_list("pk", flat=True))
    return Rehearsal(
        lines=tuple(one for one in plan.lines if one[0].pk in seen),
        outstanding=tuple(one for one in plan.outstanding if one.commitment.line_id in seen),
        unbooked=tuple(one for one in plan.unbooked if one.line.pk in seen),
        late=tuple(one for one in plan.late if one.line.pk in seen),
        transfers=tuple(
            one for one in plan.transfers if one.source_id in seen or one.target_id in seen
        ),
        unpaid=None,
    )


def _outstanding(year: FiscalYear, book: Book, decided: Iterable[Carryover]) -> list[Outstanding]:
    left = {
        name: sums.outstanding
        for line in book.lines.values()
        for name, sums in line.commitments.items()
        if sums.outstanding > 0
    }
    if not left:
        return []
    excused = {one.commitment_id: one for one in decided if one.kind == CarryKind.ACCIDENT}
    rows = year.commitments.filter(public_id__in=left).select_related("line", "fiscal_year")
    return [
        Outstanding(one, left[one.public_id], excused.get(one.pk))
        for one in rows.order_by("number")
    ]


@transaction.atomic
def close_year(*, year: FiscalYear, because: str, by: Actor, now: datetime) -> Rehearsal:
    """마감: carry over, lapse the rest, end the year. ``YearNotOver``, ``Unsettled``,
    ``NextYearNotDecided``, ``Broken`` if it is closed already."""
    by.require("budgets.change")
    because = reasons.normalized(because)
    year = journal.lock(year)
    phase = journal.phase_of(year, now)
    if phase in (Phase.PLANNED, Phase.OPEN):
        raise YearNotOver(calendar.last_day(year.year))
    if phase == Phase.CLOSED:
        raise Broken(Rule.PHASE, year=year.year, phase=str(phase), kind=str(Kind.LAPSE))
    usage.book(year, by=by, now=now)
    year = journal.lock(year)  # its numbers have moved
    plan = rehearse(year, now=now)
    if plan.blocking:
        raise Unsettled(plan.blocking)
    entries = close.movements([one for _, one in plan.lines], year.year)
    if entries:
        note = Note(because=because)
        journal.post(year=year, movements=entries, note=note, by=by, now=now)
    _carry(year, plan, by, now)
    years.move(year, FiscalYearState.CLOSED, because=because, by=by, now=now)
    return plan


def _carry(year: FiscalYear, plan: Rehearsal, by: Actor, now: datetime) -> None:
    """Into lines of the next year, by code and kind. What is carried over counts as allotted
    (국가재정법 제48조 제4항)."""
    if not plan.carries:
        return
    following = FiscalYear.objects.filter(
        organization_id=year.organization_id, year=year.year + 1, state=FiscalYearState.OPEN
    ).first()
    if following is None:
        raise NextYearNotDecided(year.year + 1)
    following = journal.lock(following)
    rows = carryovers.decisions(year)
    for line, one in plan.lines:
        for carried in one.carried:
            into = _line_of(following, line, carried.decision, now)
            _put(following, into, carried, rows[carried.decision], by, now)


def _line_of(year: FiscalYear, line: BudgetLine, decision: Decision, now: datetime) -> BudgetLine:
    found, _made = BudgetLine.objects.get_or_create(
        organization_id=year.organization_id,
        fiscal_year=year,
        code=line.code,
        carried=decision.kind,
        defaults={
            "public_id": line_id(line.code),
            "name": line.name,
            "carried_from": line,
            "created_at": now,
        },
    )
    return found


def _put(
    year: FiscalYear,
    line: BudgetLine,
    carried: Carried,
    row: Carryover,
    by: Actor,
    now: datetime,
) -> None:
    on = min(calendar.first_day(year.year), seoul_date(now))
    name = line.public_id
    journal.post(
        year=year,
        movements=[
            Movement(name, Kind.CARRIED_IN, carried.won, on),
            Movement(name, Kind.ALLOTMENT, carried.won, on, quarter=1),
        ],
        note=Note(because=row.because, document=row.public_id),
        by=by,
        now=now,
    )
    if row.commitment is not None:
        old = row.commitment
        old.fiscal_year = row.fiscal_year
        paper = Paper(old.subject, old.counterparty, old.document or old.label)
        entry = Entry(carried.won, on, because=old.label)
        commitments.write(year, line, paper, entry, Source(project=old.project), by, now)
    Carryover.objects.filter(pk=row.pk).update(carried_won=carried.won, into=line)
