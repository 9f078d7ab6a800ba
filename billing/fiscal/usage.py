"""Usage becomes 지출: tokens by a monthly estimated commitment, card time by its order's.

What is booked is always the difference between what the ledgers say up to now and what was booked
before, by project and month, so that repeating it, or late usage, books the rest and nothing
twice. The month of the usage decides the year: 23:59:59 on 31 December in Seoul is the old year's.
What is found after the year's close is ``late``'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from billing import rating, tariffs
from billing.fiscal import calendar, commitments, journal
from billing.fiscal.calendar import Phase
from billing.fiscal.commitments import Paper, Source
from billing.fiscal.journal import Note
from billing.fiscal.lines import Entry
from billing.fiscal.movements import Kind, Movement
from billing.models import (
    BudgetLine,
    Commitment,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalMovement,
    FiscalYear,
    ProjectLine,
)
from portal.lib.money import MICRO
from portal.lib.periods import Month, day_period, seoul_date
from portal.usage.models import CardTime, DaySpend, LedgerEntry
from tenants import actors, rls
from tenants.actors import Actor

log = structlog.get_logger()

GROSS = Fraction(11, 10)  # with VAT


@dataclass(frozen=True, slots=True)
class Use:
    """What one project used in one month, whole won with VAT, half up."""

    project: str
    month: str
    reference: str  # of the order; empty for tokens
    won: int
    title: str = ""  # the project's name


@dataclass(frozen=True, slots=True)
class Unbooked:
    """Usage that does not fit into its line any more; a person has to settle it."""

    line: BudgetLine
    use: Use
    won: int


def book_all(*, now: datetime) -> int:
    """Sweep: every open year of every organization. How many entries were written."""
    with rls.everyone(because="sweep: usage of public institutions"):
        years = list(
            FiscalYear.objects.filter(state="open", bindings__isnull=False)
            .select_related("organization")
            .distinct()
        )
    return sum(_book_safely(year, now) for year in years)


def _book_safely(year: FiscalYear, now: datetime) -> int:
    """One organization's trouble stops no other's; the next sweep tries again."""
    by = actors.system(year.organization, _("Usage booking"))
    try:
        with rls.tenant(year.organization_id):
            return len(book(year, by=by, now=now))
    except Exception:
        log.exception("fiscal.use_not_booked", year=year.public_id)
        return 0


@transaction.atomic
def book(year: FiscalYear, *, by: Actor, now: datetime) -> list[FiscalMovement]:
    """지출 of what was used and is not booked yet, as far as the lines have room."""
    year = journal.lock(year)
    if journal.phase_of(year, now) not in (Phase.OPEN, Phase.SETTLING):
        return []
    rows = []
    for line, use, won in missing(year, now):
        rows += _book_one(year, line, use, won, by, now)
    return rows


def unbooked(year: FiscalYear, *, now: datetime) -> list[Unbooked]:
    """What ``book`` could not book, or has not yet."""
    return [Unbooked(line, use, won) for line, use, won in missing(year, now)]


def missing(year: FiscalYear, now: datetime) -> list[tuple[BudgetLine, Use, int]]:
    """Differences between use and what is booked, in this year or as its late use in a later one,
    in a stable order."""
    booked = {
        (project, month, reference): won
        for project, month, reference, won in FiscalMovement.objects.filter(
            organization_id=year.organization_id, usage_month__startswith=f"{year.year}-"
        )
        .order_by()
        .values_list("project", "usage_month", "document")
        .annotate(Sum("won"))
    }
    found = []
    for binding in year.bindings.select_related("line", "project").order_by("pk"):
        for use in used(binding, year.year, now=now):
            done = booked.get((use.project, use.month, use.reference), 0)
            if use.won != done:
                found.append((binding.line, use, use.won - done))
    return found


def used(binding: ProjectLine, year: int, *, now: datetime) -> list[Use]:
    """Tokens and card time of a project since its line pays for it, by month of the year."""
    exact = _tokens(binding, year, now)
    for key, won in _cards(binding, year, now).items():
        exact[key] = won
    project = binding.project
    return [
        Use(project.public_id, month, reference, rating.rounded(won * GROSS), project.name)
        for (month, reference), won in sorted(exact.items())
    ]


def _tokens(binding: ProjectLine, year: int, now: datetime) -> dict[tuple[str, str], Fraction]:
    """By month, from the ledger's days; of the day on which the line began to pay, from its
    entries."""
    since = max(calendar.period(year).start, binding.bound_at)
    first, last = seoul_date(since), min(seoul_date(now), calendar.last_day(year))
    mine = {"organization_id": binding.organization_id, "project": binding.project.public_id}
    found: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    if since > day_period(first).start:
        until = min(day_period(first).end, now)
        rows = LedgerEntry.objects.filter(**mine).admitted(since, until)
        micro = rows.aggregate(total=Sum("settled_micro"))["total"] or 0
        found[str(Month.of(since)), ""] += Fraction(micro, MICRO)
        first += timedelta(days=1)
    days = DaySpend.objects.filter(**mine, day__gte=first, day__lte=last).order_by()
    for number, micro in days.values_list("day__month").annotate(Sum("settled_micro")):
        found[str(Month(year, number)), ""] += Fraction(micro, MICRO)
    return {key: won for key, won in found.items() if won}


def _cards(binding: ProjectLine, year: int, now: datetime) -> dict[tuple[str, str], Fraction]:
    """Card time by month and order; an endpoint without an order counts as its project's."""
    whole = calendar.period(year)
    orders = dict(
        Commitment.objects.filter(project=binding.project.public_id)
        .order_by("pk")
        .values_list("endpoint", "reference")
    )
    rows = CardTime.objects.filter(
        organization_id=binding.organization_id,
        project=binding.project.public_id,
        started_at__gte=max(whole.start, binding.bound_at),
        started_at__lt=min(whole.end, now),
    )
    found: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for row in rows.iterator():
        key = (str(Month.of(row.started_at)), orders.get(row.endpoint, row.endpoint))
        price = tariffs.unit_price(row.price_version, "card_seconds")  # the list's, or agreed
        found[key] += rating.card_amount(row.card_seconds, price)
    return dict(found)


def _book_one(
    year: FiscalYear, line: BudgetLine, use: Use, missing: int, by: Actor, now: datetime
) -> list[FiscalMovement]:
    commitment = _commitment(year, line, use, missing, by, now)
    if commitment is None:
        return []
    won, spent = commitments.sums(commitment)
    on = _day(year, now)

    def entry(kind: Kind, amount: int) -> Movement:
        name = commitment.public_id
        return Movement(line.public_id, kind, amount, on, commitment=name, used=True)

    entries = []
    short = missing - (won - spent)
    if short > 0:
        left = journal.book_of(year).columns(line.public_id, on).left
        if (grown := min(short, max(0, left))) > 0:
            entries.append(entry(Kind.CHANGE, grown))
            won += grown
    amount = min(missing, won - spent) if missing > 0 else max(missing, -spent)
    if amount:
        entries.append(entry(Kind.EXPENDITURE if amount > 0 else Kind.REFUND, amount))
    return _post(year, entries, use, by, now)


def _day(year: FiscalYear, now: datetime) -> date:
    """Today, or the year's last day: what was used was used within the year."""
    return min(seoul_date(now), calendar.last_day(year.year))


def _post(
    year: FiscalYear, entries: Iterable[Movement], use: Use, by: Actor, now: datetime
) -> list[FiscalMovement]:
    rows = []
    for entry in entries:
        spending = entry.kind in (Kind.EXPENDITURE, Kind.REFUND)
        note = Note(
            document=use.reference,
            project=use.project,
            usage_month=use.month if spending else "",
        )
        rows += journal.post(year=year, movements=[entry], note=note, by=by, now=now)
    return rows


def _commitment(
    year: FiscalYear, line: BudgetLine, use: Use, missing: int, by: Actor, now: datetime
) -> FiscalCommitment | None:
    """That of the order, else the month's estimate of the line, made when it is first needed."""
    rows = FiscalCommitment.objects.filter(line=line, month=use.month)
    found = rows.filter(reference=use.reference).first() if use.reference else None
    found = found or rows.filter(origin=CommitmentOrigin.USAGE).first()
    if found is not None:
        found.line, found.fiscal_year = line, year
        return found
    today = _day(year, now)
    left = journal.book_of(year).columns(line.public_id, today).left
    if missing <= 0 or left <= 0:
        return None
    paper = Paper(f"{use.month} 사용료 개산", "두레")
    source = Source(CommitmentOrigin.USAGE, "", f"usage:{use.month}", use.month)
    entry = Entry(min(missing, left), today)
    return commitments.write(year, line, paper, entry, source, by, now)
