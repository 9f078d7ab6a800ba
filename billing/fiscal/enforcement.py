"""How the counters that admit requests and orders know of budget lines.

A line with a project has a hard budget of its year (its subject is the line, it covers the
projects): what is allotted now less what contracts and papers have committed, without VAT, because
the counters have none. Requests and orders are counted there by themselves, so the three together
never exceed the allotment. A limit that becomes lower is set before the journal is written: the
counters know what is used and held, and refuse. One that becomes higher is written with the
journal, and the publisher tells it.

This is the only module that knows both sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime

from billing import limits
from billing.budgets import ChangedMeanwhile, LimitTooLow
from billing.fiscal import calendar, journal
from billing.fiscal.book import Book
from billing.fiscal.calendar import Phase
from billing.fiscal.movements import ALLOTTING, COMMITTING, LineBook, Movement
from billing.fiscal.refusals import UsedAlready
from billing.models import (
    Budget,
    BudgetLine,
    BudgetPeriod,
    BudgetQuerySet,
    BudgetScope,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalYear,
)
from portal.lib import ids
from portal.lib.money import MAX_BUDGET_WON, MICRO
from portal.lib.periods import seoul_date
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import Project

NEW = "new"  # a commitment that has no id yet
# Of these the counters know nothing by themselves.
APART = (CommitmentOrigin.DOCUMENT, CommitmentOrigin.LATE)
BECAUSE = "Follows the budget line."


def net_won(gross_won: int) -> int:
    """Without VAT, whole won, cut off: with VAT it never comes to more than ``gross_won``."""
    return gross_won * 10 // 11


def gross_won(net_micro: int) -> int:
    """With VAT, whole won, rounded up: what an order of so many micro-won commits."""
    return -(-net_micro * 11 // (10 * MICRO))


def limit_of(line: LineBook, year: int, on: date, papers: Collection[str]) -> int:
    """Whole won without VAT that requests and orders may use of a line. Pure. Counters hold nine
    billion won at most; a line with more free is bounded there."""
    taken = sum(line.commitments[one].won for one in papers if one in line.commitments)
    free = max(0, line.allotted(year, on) - taken)
    return min(net_won(free), MAX_BUDGET_WON)


def _papers(year: FiscalYear) -> set[str]:
    rows = FiscalCommitment.objects.filter(fiscal_year=year, origin__in=APART)
    return {NEW, *rows.values_list("public_id", flat=True)}


def _limit(
    book: Book,
    year: FiscalYear,
    line: BudgetLine,
    now: datetime,
    papers: Collection[str] | None = None,
) -> int:
    if journal.phase_of(year, now) == Phase.PLANNED:
        return 0
    papers = _papers(year) if papers is None else papers
    return limit_of(book.line(line.public_id), year.year, seoul_date(now), papers)


def tell_before(
    line: BudgetLine,
    movement: Movement,
    *,
    by: Actor,
    now: datetime,
    origin: CommitmentOrigin = CommitmentOrigin.DOCUMENT,
) -> None:
    """Set a lower limit, if the entry makes it lower, before it is written and outside of any
    transaction. If it is not written after all, ``refresh`` raises the limit again. ``Broken``,
    ``UsedAlready``, ``ChangedMeanwhile``, ``CountersUnavailable``."""
    paper = movement.kind in COMMITTING and origin in APART
    if not paper and movement.kind not in ALLOTTING:
        return
    with actors.scope_for(by):
        budget = _budgets([line]).first()
        if budget is None:
            return
        year = FiscalYear.objects.get(pk=line.fiscal_year_id)
        book = journal.book_of(year)
        book.post(movement, phase=journal.phase_of(year, now), today=seoul_date(now))
        after = _limit(book, year, line, now)
    if after < budget.limit_won:
        _lower(budget, after, by, now)


def _lower(budget: Budget, limit_won: int, by: Actor, now: datetime) -> None:
    wish = limits.BudgetWish(
        scope=budget.scope,
        subject=budget.subject,
        period=budget.period,
        year=budget.year,
        limit_won=limit_won,
        covers=budget.covers,
    )
    try:
        limits.set_limit(
            organization=by.organization, wish=wish, because=BECAUSE, by=by.label, now=now
        )
    except LimitTooLow as error:
        free = max(0, budget.limit_won - error.used_won)
        raise UsedAlready(free * 11 // 10) from error


def _budgets(lines: Iterable[BudgetLine]) -> BudgetQuerySet:
    return Budget.objects.current().filter(subject__in=[one.public_id for one in lines])


def keep(year: FiscalYear, lines: Iterable[BudgetLine], *, now: datetime) -> None:
    """Raise limits to what follows from the journal, in its transaction. One that would have to be
    lower was not set before, or was raised meanwhile: ``ChangedMeanwhile``."""
    wanted = {one.public_id: one for one in lines}
    rows = list(_budgets(wanted.values()).select_for_update().order_by("pk"))
    if not rows:
        return
    book = journal.book_of(year)
    for row in rows:
        limit = _limit(book, year, wanted[row.subject], now)
        if limit < row.limit_won:
            raise ChangedMeanwhile
        _raise(row, limit)


def _raise(row: Budget, limit: int) -> bool:
    if limit <= row.limit_won:
        return False
    row.limit_won, row.number = limit, row.number + 1
    row.save(update_fields=["limit_won", "number"])
    return True


def begin(line: BudgetLine, project: Project, *, year: FiscalYear, now: datetime) -> Budget:
    """The line's budget counts a project from now on; it is made for the first one."""
    budget, made = Budget.objects.get_or_create(
        subject=line.public_id,
        period=BudgetPeriod.YEAR,
        year=year.year,
        closed_at=None,
        defaults={
            "public_id": ids.mint("bdg"),
            "organization_id": year.organization_id,
            "scope": BudgetScope.LINE,
            "covers": [project.public_id],
            "limit_won": _limit(journal.book_of(year), year, line, now),
            "created_at": now,
        },
    )
    if not made and project.public_id not in budget.covers:
        _cover(budget, [*budget.covers, project.public_id])
    return budget


def end(line: BudgetLine, project: Project, *, now: datetime) -> None:
    """The line pays for the project no more. A budget that covers nothing would cover all, so it
    ends with its last project."""
    for budget in _budgets([line]).select_for_update():
        rest = [one for one in budget.covers if one != project.public_id]
        if rest:
            _cover(budget, rest)
        else:
            budget.closed_at = now
            budget.save(update_fields=["closed_at"])


def _cover(budget: Budget, projects: list[str]) -> None:
    budget.covers, budget.number = projects, budget.number + 1
    budget.save(update_fields=["covers", "number"])


def refresh(*, now: datetime) -> int:
    """Sweep: limits that a day has changed, because a quarter has begun, and those that were
    lowered for an entry which was not written. How many were raised."""
    this = calendar.year_of(now)
    with rls.everyone(because="sweep: limits of budget lines"):
        rows = list(
            BudgetLine.objects.filter(fiscal_year__year=this, bindings__isnull=False)
            .select_related("fiscal_year")
            .distinct()
        )
    by_year: defaultdict[FiscalYear, list[BudgetLine]] = defaultdict(list)
    for line in rows:
        by_year[line.fiscal_year].append(line)
    return sum(_refreshed(year, lines, now) for year, lines in by_year.items())


def _refreshed(year: FiscalYear, lines: list[BudgetLine], now: datetime) -> int:
    """The lines of one organization's year. Its book is read once, and without a lock: as a rule
    nothing has changed since the last minute; only lines that have are looked at under the lock."""
    with rls.tenant(year.organization_id):
        if not (lines := _too_low(year, lines, now)):
            return 0
        year = journal.lock(year)
        limits_now = _limits(year, lines, now)
        rows = _budgets(lines).select_for_update().order_by("pk")
        return sum(_raise(row, limits_now[row.subject]) for row in rows)


def _limits(year: FiscalYear, lines: Iterable[BudgetLine], now: datetime) -> dict[str, int]:
    book, papers = journal.book_of(year), _papers(year)
    return {one.public_id: _limit(book, year, one, now, papers) for one in lines}


def _too_low(year: FiscalYear, lines: list[BudgetLine], now: datetime) -> list[BudgetLine]:
    """Lines whose budget is below what follows from the journal."""
    limits_now = _limits(year, lines, now)
    rows = _budgets(lines).values_list("subject", "limit_won")
    low = {subject for subject, won in rows if won < limits_now[subject]}
    return [one for one in lines if one.public_id in low]
