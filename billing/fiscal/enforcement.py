"""How the counters that admit requests and orders know of budget lines.

A line with a project has a hard budget of the year (its subject is the line): what is allotted
now less what contracts and papers have committed, without VAT, because the counters have none.
Requests and orders are counted there by themselves, so the three together never exceed the
allotment. A limit that becomes lower is told to the counters first: they know what is used and
held, and refuse. One that becomes higher is written, and the publisher tells it.

This is the only module that knows both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from billing import budgets
from billing.budgets import ChangedMeanwhile, CountersUnavailable
from billing.fiscal import calendar, journal
from billing.fiscal.book import ALLOTTING, COMMITTING, Book, LineBook, Movement
from billing.fiscal.calendar import Phase
from billing.fiscal.refusals import UsedAlready
from billing.models import (
    Budget,
    BudgetLine,
    BudgetScope,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalYear,
)
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.lib.money import MAX_BUDGET_WON, MICRO
from portal.lib.periods import seoul_date
from tenants import actors, rls
from tenants.actors import Actor

NEW = "new"  # a commitment that has no id yet


@dataclass(frozen=True, slots=True)
class Told:
    """A lower limit that the counters have accepted, and the number that it was told under."""

    subject: str
    limit_won: int
    number: int


def net_won(gross_won: int) -> int:
    """Without VAT, whole won, cut off: with VAT it never comes to more than ``gross_won``."""
    return gross_won * 10 // 11


def gross_won(net_micro: int) -> int:
    """With VAT, whole won, rounded up: what an order of so many micro-won commits."""
    return -(-net_micro * 11 // (10 * MICRO))


def limit_of(line: LineBook, year: int, on: date, papers: Collection[str]) -> int:
    """Whole won without VAT that requests and orders may use of a line. Pure."""
    taken = sum(line.commitments[one].won for one in papers if one in line.commitments)
    free = max(0, line.allotted(year, on) - taken)
    return min(net_won(free), MAX_BUDGET_WON)


def _papers(year: FiscalYear) -> set[str]:
    rows = FiscalCommitment.objects.filter(fiscal_year=year, origin=CommitmentOrigin.DOCUMENT)
    return {NEW, *rows.values_list("public_id", flat=True)}


def _limit(book: Book, year: FiscalYear, line: BudgetLine, now: datetime) -> int:
    if journal.phase_of(year, now) == Phase.PLANNED:
        return 0
    return limit_of(book.line(line.public_id), year.year, seoul_date(now), _papers(year))


def tell_before(
    line: BudgetLine,
    movement: Movement,
    *,
    by: Actor,
    now: datetime,
    origin: CommitmentOrigin = CommitmentOrigin.DOCUMENT,
) -> Told | None:
    """Tell a lower limit, if the entry makes it lower, outside of any transaction. ``Broken``,
    ``UsedAlready``, ``ChangedMeanwhile``, ``CountersUnavailable``."""
    paper = movement.kind in COMMITTING and origin == CommitmentOrigin.DOCUMENT
    if not paper and movement.kind not in ALLOTTING:
        return None
    with actors.scope_for(by):
        budget = Budget.objects.filter(subject=line.public_id).first()
        if budget is None:
            return None
        year = FiscalYear.objects.get(pk=line.fiscal_year_id)
        book = journal.book_of(year)
        book.post(movement, phase=journal.phase_of(year, now), today=seoul_date(now))
        after = _limit(book, year, line, now)
    if after >= budget.limit_won:
        return None
    _tell(budget, after, by)
    return Told(line.public_id, after, budget.number + 1)


def _tell(budget: Budget, limit_won: int, by: Actor) -> None:
    told = Budget(
        subject=budget.subject,
        limit_won=limit_won,
        hard=True,
        number=budget.number + 1,
    )
    try:
        budgets.publish(told, by.organization)
    except Refused as error:
        if error.reason == "older_number":
            raise ChangedMeanwhile from error
        free = budget.limit_won - -(-error.left // MICRO)  # the function says what is used
        raise UsedAlready(max(0, free) * 11 // 10) from error
    except AdmissionUnavailable as error:
        raise CountersUnavailable from error


def keep(
    year: FiscalYear, lines: Iterable[BudgetLine], *, told: Told | None, now: datetime
) -> None:
    """Write the limits that follow from the journal, in its transaction. A lower one that was not
    told is refused: ``ChangedMeanwhile``."""
    wanted = {one.public_id: one for one in lines}
    rows = list(Budget.objects.select_for_update().filter(subject__in=wanted).order_by("pk"))
    if not rows:
        return
    book = journal.book_of(year)
    for row in rows:
        limit = _limit(book, year, wanted[row.subject], now)
        if limit < row.limit_won and told != Told(row.subject, limit, row.number + 1):
            raise ChangedMeanwhile
        if limit != row.limit_won:
            row.limit_won, row.number = limit, row.number + 1
            row.save(update_fields=["limit_won", "number"])


def begin(line: BudgetLine, *, year: FiscalYear, now: datetime) -> Budget:
    """The line's budget, from when the first project uses the line."""
    return budgets.ensure(
        organization=line.organization,
        scope=BudgetScope.LINE,
        subject=line.public_id,
        limit_won=_limit(journal.book_of(year), year, line, now),
        now=now,
    )


def refresh(*, now: datetime) -> int:
    """Sweep: limits that a day has changed, because a quarter has begun. How many were raised."""
    this = calendar.year_of(now)
    with rls.everyone(because="sweep: limits of budget lines"):
        rows = list(
            BudgetLine.objects.filter(fiscal_year__year=this, bindings__isnull=False)
            .select_related("fiscal_year")
            .distinct()
        )
    raised = 0
    for line in rows:
        with rls.tenant(line.organization_id):
            raised += _raise(line, now)
    return raised


def _raise(line: BudgetLine, now: datetime) -> bool:
    year = journal.lock(line.fiscal_year)
    row = Budget.objects.select_for_update().filter(subject=line.public_id).first()
    limit = _limit(journal.book_of(year), year, line, now)
    if row is None or limit <= row.limit_won:
        return False
    row.limit_won, row.number = limit, row.number + 1
    row.save(update_fields=["limit_won", "number"])
    return True
