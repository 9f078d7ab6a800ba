"""What doors ask about fiscal years. Every query begins with what the actor may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.fiscal import calendar, journal
from billing.fiscal.movements import ALLOTTING, COMMITTING, SPENDING, Columns, total
from billing.models import (
    BudgetLine,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalMovement,
    FiscalTransfer,
    FiscalYear,
)
from portal.lib.periods import seoul_date
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the board."""

    line: BudgetLine
    columns: Columns


@dataclass(frozen=True, slots=True)
class QuarterRow:
    """What was allotted to a quarter, and committed within it."""

    quarter: int
    allotted: int
    committed: int

    @property
    def left(self) -> int:
        return self.allotted - self.committed


@dataclass(frozen=True, slots=True)
class Board:
    """A year on a day. Columns are sums of the journal."""

    year: FiscalYear
    on: date
    rows: tuple[Row, ...]
    quarters: tuple[QuarterRow, ...]

    @property
    def total(self) -> Columns:
        return total(row.columns for row in self.rows)


def years(actor: Actor) -> QuerySet[FiscalYear]:
    """The organization's fiscal years, newest first."""
    rows = FiscalYear.objects.visible_to(actor).select_related("organization")
    return rows.order_by("-year")


def lines(actor: Actor, year: FiscalYear) -> QuerySet[BudgetLine]:
    """The year's lines that the actor may see."""
    return (
        BudgetLine.objects.visible_to(actor)
        .filter(fiscal_year=year)
        .select_related("fiscal_year", "organization")
        .order_by("code", "carried", "pk")
    )


def board(actor: Actor, year: FiscalYear, *, now: datetime, search: str = "") -> Board:
    """The year's lines with their columns; ``search`` looks into code and name."""
    on = min(seoul_date(now), calendar.last_day(year.year))
    rows = lines(actor, year)
    if search:
        rows = rows.filter(Q(code__icontains=search) | Q(name__icontains=search))
    shown = list(rows)
    movements = year.movements.filter(line__in=[one.pk for one in shown])
    found = journal.book_of(year, movements)
    return Board(
        year=year,
        on=on,
        rows=tuple(Row(one, found.columns(one.public_id, on)) for one in shown),
        quarters=tuple(_quarters(movements)),
    )


def _quarters(movements: QuerySet[FiscalMovement]) -> Iterable[QuarterRow]:
    allotted, committed = [0] * 5, [0] * 5
    rows = movements.filter(kind__in=ALLOTTING | COMMITTING).order_by()
    sums = rows.values_list("kind", "quarter", "from_quarter", "on_date__month")
    for kind, quarter, source, month, won in sums.annotate(Sum("won")):
        if kind in COMMITTING:
            committed[(month + 2) // 3] += won
        else:
            allotted[quarter] += won
            allotted[source] -= won
    return [QuarterRow(one, allotted[one], committed[one]) for one in calendar.QUARTERS]


def movements(
    actor: Actor,
    year: FiscalYear,
    *,
    line: str = "",
    kind: str = "",
    since: date | None = None,
    until: date | None = None,
) -> QuerySet[FiscalMovement]:
    """The journal, newest first; days are of the entry, both included."""
    rows = (
        FiscalMovement.objects.visible_to(actor)
        .filter(fiscal_year=year, line__in=lines(actor, year).order_by().values("pk"))
        .select_related("line__fiscal_year", "commitment__fiscal_year", "fiscal_year")
        .order_by("-number")
    )
    if line:
        rows = rows.filter(line__public_id=line)
    if kind:
        rows = rows.filter(kind=kind)
    if since is not None:
        rows = rows.filter(on_date__gte=since)
    if until is not None:
        rows = rows.filter(on_date__lte=until)
    return rows


def commitments(
    actor: Actor,
    year: FiscalYear,
    *,
    line: str = "",
    search: str = "",
    open_only: bool = False,
) -> QuerySet[FiscalCommitment]:
    """원인행위부, newest first, each with ``won``, ``spent`` as they stand."""
    rows = (
        FiscalCommitment.objects.visible_to(actor)
        .filter(fiscal_year=year, line__in=lines(actor, year).order_by().values("pk"))
        .select_related("line__fiscal_year", "fiscal_year", "organization")
        .annotate(
            won=_sum(COMMITTING),
            spent=_sum(SPENDING),
        )
        .order_by("-number")
    )
    if line:
        rows = rows.filter(line__public_id=line)
    if search:
        rows = rows.filter(
            Q(subject__icontains=search)
            | Q(counterparty__icontains=search)
            | Q(document__icontains=search)
        )
    if open_only:
        rows = rows.filter(won__gt=F("spent"))
    return rows


def transfers(actor: Actor, year: FiscalYear) -> QuerySet[FiscalTransfer]:
    """Newest first; of whom sees some lines only, those that concern one of them."""
    rows = FiscalTransfer.objects.visible_to(actor).filter(fiscal_year=year)
    if actor.projects is not None:
        seen = lines(actor, year).order_by().values("pk")
        rows = rows.filter(Q(source__in=seen) | Q(target__in=seen))
    return rows.select_related("source__fiscal_year", "target__fiscal_year")


def paid_late(actor: Actor, year: FiscalYear) -> QuerySet[FiscalCommitment]:
    """Commitments of later years by which use of this one was paid after its close."""
    return (
        FiscalCommitment.objects.visible_to(actor)
        .filter(
            origin=CommitmentOrigin.LATE,
            month__startswith=f"{year.year}-",
            line__in=BudgetLine.objects.visible_to(actor).values("pk"),
        )
        .select_related("line__fiscal_year", "fiscal_year")
        .annotate(won=_sum(COMMITTING), spent=_sum(SPENDING))
        .order_by("fiscal_year__year", "number")
    )


def _sum(kinds: Iterable[str]) -> Coalesce:
    return Coalesce(Sum("movements__won", filter=Q(movements__kind__in=list(kinds))), 0)


def commitment(actor: Actor, public_id: str) -> FiscalCommitment | None:
    """One line of the register."""
    return (
        FiscalCommitment.objects.visible_to(actor)
        .filter(public_id=public_id)
        .select_related("line__fiscal_year", "fiscal_year", "organization")
        .first()
    )


def all_lines(actor: Actor) -> QuerySet[BudgetLine]:
    """Lines of all years that the actor may see."""
    return BudgetLine.objects.visible_to(actor).select_related("fiscal_year", "organization")


def board_of_line(actor: Actor, line: BudgetLine, *, now: datetime) -> Board:
    """The same of one line."""
    on = min(seoul_date(now), calendar.last_day(line.fiscal_year.year))
    rows = line.movements.all()
    found = journal.book_of(line.fiscal_year, rows)
    return Board(
        year=line.fiscal_year,
        on=on,
        rows=(Row(line, found.columns(line.public_id, on)),),
        quarters=tuple(_quarters(rows)),
    )


def entries(actor: Actor) -> QuerySet[FiscalMovement]:
    """Entries of all years that the actor may see."""
    return (
        FiscalMovement.objects.visible_to(actor)
        .filter(line__in=BudgetLine.objects.visible_to(actor).values("pk"))
        .select_related("line__fiscal_year", "line__organization", "commitment", "fiscal_year")
    )
