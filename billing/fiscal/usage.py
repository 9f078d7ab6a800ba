"""Usage becomes 지출: tokens by a monthly estimated commitment, card time by its order's.

What is booked is always the difference between what the ledgers say up to now and what was booked
before, by project and month, so that repeating it, or late usage, books the rest and nothing
twice. The month of the usage decides the year: 23:59:59 on 31 December in Seoul is the old year's.
What is found after the year's close is ``late``'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import structlog
from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import BigIntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, ExtractMonth, JSONObject
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
from portal.lib.periods import SEOUL, Month, day_period, seoul_date
from portal.usage.models import CARD_SECONDS, CardTime, DaySpend, LedgerEntry
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
    entries = FiscalMovement.objects.filter(
        organization=OuterRef("organization"),
        project=OuterRef("project__public_id"),
        usage_month__startswith=f"{year.year}-",
    ).order_by()
    sums = entries.values("usage_month", "document").annotate(sum=Sum("won"))
    booked = JSONObject(month="usage_month", document="document", won="sum")
    bindings = list(
        year.bindings.select_related("line", "project").annotate(
            booked=ArraySubquery(sums.values(json=booked))
        )
    )
    done = {
        (binding.project.public_id, one["month"], one["document"]): one["won"]
        for binding in bindings
        for one in binding.booked
    }
    found = []
    for binding, use in used(bindings, year.year, now=now):
        missing = use.won - done.get((use.project, use.month, use.reference), 0)
        if missing:
            found.append((binding.line, use, missing))
    return found


Key = tuple[str, str, str]  # project, month, reference of the order or nothing


def used(
    bindings: Sequence[ProjectLine], year: int, *, now: datetime
) -> list[tuple[ProjectLine, Use]]:
    """Tokens and card time of projects since their lines pay for them, by month of the year."""
    if not bindings:
        return []
    by_project = {one.project.public_id: one for one in bindings}
    exact = _exact(bindings, year, now)
    found = [
        (
            binding := by_project[project],
            Use(project, month, reference, rating.rounded(won * GROSS), binding.project.name),
        )
        for (project, month, reference), won in exact.items()
    ]
    return sorted(found, key=lambda one: (one[0].pk, one[1].month, one[1].reference))


def _exact(bindings: Sequence[ProjectLine], year: int, now: datetime) -> dict[Key, Fraction]:
    """Exact won, in one question. Tokens come from the ledger's days; of the day on which a line
    began to pay, from its entries."""
    mine, days, cards = Q(organization=bindings[0].organization_id), Q(), Q()
    entries = LedgerEntry.objects.none()
    for one in bindings:
        project, since = Q(project=one.project.public_id), _since(one, year)
        first = day_period(seoul_date(since))
        if since > first.start:
            own = LedgerEntry.objects.filter(project, mine)
            entries |= own.admitted(since, min(first.end, now))
        days |= project & Q(day__gte=seoul_date(since if since == first.start else first.end))
        cards |= project & Q(started_at__gte=since)
    last = min(seoul_date(now), calendar.last_day(year))
    end = min(calendar.period(year).end, now)
    whole = _tokens(DaySpend.objects.filter(mine, days, day__lte=last), "day__month")
    begun = _tokens(entries, ExtractMonth("admitted_at", tzinfo=SEOUL))
    card_time = _cards(CardTime.objects.filter(mine, cards, started_at__lt=end))
    found: dict[Key, Fraction] = defaultdict(Fraction)
    rows = whole.union(begun, card_time, all=True).order_by()
    for project, month, reference, version, amount in rows:
        key = project, str(Month(year, int(month))), reference
        found[key] += _won(int(amount), version) if version else Fraction(int(amount), MICRO)
    return {key: won for key, won in found.items() if won or key[2]}


def _since(binding: ProjectLine, year: int) -> datetime:
    return max(calendar.period(year).start, binding.bound_at)


def _won(card_seconds: int, version: str) -> Fraction:
    """By the list, or as agreed."""
    return rating.card_amount(card_seconds, tariffs.unit_price(version, "card_seconds"))


def _tokens(rows: QuerySet[Any], month: str | ExtractMonth) -> QuerySet[Any, Any]:
    """Micro-won by project and month; of no order, and of no version."""
    found = rows.order_by().values_list("project", month, Value(""), Value(""))
    summed: QuerySet[Any, Any] = found.annotate(Sum("settled_micro"))
    return summed


def _cards(rows: QuerySet[CardTime]) -> QuerySet[Any, Any]:
    """Card time by project, month, order and version; an endpoint without an order counts as its
    project's."""
    orders = Commitment.objects.filter(
        organization=OuterRef("organization"),
        project=OuterRef("project"),
        endpoint=OuterRef("endpoint"),
    )
    order = Subquery(orders.order_by("-pk").values("reference")[:1])
    month = ExtractMonth("started_at", tzinfo=SEOUL)
    found = rows.annotate(order=Coalesce(order, "endpoint")).order_by()
    return found.values_list("project", month, "order", "price_version").annotate(
        total=Sum(CARD_SECONDS, output_field=BigIntegerField())
    )


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
