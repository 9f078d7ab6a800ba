"""The journal of a fiscal year in the database: read into a book, and written through its rules.

Whoever writes holds the lock of the year's row, so that what was checked still holds when it is
written, and numbers have no gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet, Sum

from billing.fiscal import calendar
from billing.fiscal.book import Book
from billing.fiscal.calendar import Phase
from billing.fiscal.movements import Kind, Movement
from billing.models import (
    BudgetLine,
    FiscalCommitment,
    FiscalMovement,
    FiscalYear,
    FiscalYearState,
)
from portal.lib import ids
from portal.lib.periods import seoul_date
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Note:
    """What is written beside an entry."""

    because: str = ""
    document: str = ""
    approved_by: str = ""
    project: str = ""
    usage_month: str = ""
    reverses: FiscalMovement | None = None


def lock(year: FiscalYear) -> FiscalYear:
    """The year's row, for the rest of the transaction."""
    return FiscalYear.objects.select_for_update().get(pk=year.pk)


def phase_of(year: FiscalYear, now: datetime) -> Phase:
    return calendar.phase(
        year.year,
        decided=year.state != FiscalYearState.PLANNED,
        closed=year.state == FiscalYearState.CLOSED,
        today=seoul_date(now),
    )


def book_of(year: FiscalYear, rows: QuerySet[FiscalMovement] | None = None) -> Book:
    """All entries of a year, or some of them, added up by the database as far as that loses
    nothing that a rule asks for."""
    rows = year.movements.all() if rows is None else rows
    sums = (
        rows.order_by()
        .values_list("line__public_id", "kind", "quarter", "from_quarter", "commitment__public_id")
        .annotate(Sum("won"))
    )
    first = calendar.first_day(year.year)
    return Book(
        year.year,
        (
            Movement(line, Kind(kind), won, first, quarter, source, commitment or "")
            for line, kind, quarter, source, commitment, won in sums
        ),
    )


def post(
    *,
    year: FiscalYear,
    movements: Sequence[Movement],
    note: Note,
    by: Actor,
    now: datetime,
) -> list[FiscalMovement]:
    """Check and write, all or nothing. ``year`` is locked; ``Broken`` says which rule."""
    book_of(year).post(*movements, phase=phase_of(year, now), today=seoul_date(now))
    lines = _by_id(BudgetLine.objects.filter(fiscal_year=year), {one.line for one in movements})
    known = _by_id(
        FiscalCommitment.objects.filter(fiscal_year=year),
        {one.commitment for one in movements if one.commitment},
    )
    rows = FiscalMovement.objects.bulk_create(
        FiscalMovement(
            public_id=ids.mint("fmv"),
            organization_id=year.organization_id,
            fiscal_year=year,
            number=year.last_movement + place,
            line_id=lines[one.line],
            kind=one.kind,
            won=one.won,
            quarter=one.quarter,
            from_quarter=one.from_quarter,
            commitment_id=known[one.commitment] if one.commitment else None,
            reverses=note.reverses,
            document=note.document[:80],
            project=note.project,
            usage_month=note.usage_month,
            on_date=one.on,
            because=note.because,
            by=by.label[:120],
            approved_by=note.approved_by[:120],
            recorded_at=now,
        )
        for place, one in enumerate(movements, start=1)
    )
    year.last_movement += len(rows)
    year.save(update_fields=["last_movement"])
    return rows


def _by_id[M: (BudgetLine, FiscalCommitment)](
    rows: QuerySet[M], wanted: Iterable[str]
) -> dict[str, int]:
    return dict(rows.filter(public_id__in=set(wanted)).values_list("public_id", "pk"))


def movement_of(row: FiscalMovement) -> Movement:
    """The entry as the book knows it; its line and commitment have been read with it."""
    return Movement(
        line=row.line.public_id,
        kind=Kind(row.kind),
        won=row.won,
        on=row.on_date,
        quarter=row.quarter,
        from_quarter=row.from_quarter,
        commitment=row.commitment.public_id if row.commitment else "",
    )


def today_in(year: FiscalYear, now: datetime) -> date:
    """Today, or the nearest day of the year: what an officer's form begins with."""
    return min(max(seoul_date(now), calendar.first_day(year.year)), calendar.last_day(year.year))
