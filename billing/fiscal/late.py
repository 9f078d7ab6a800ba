"""지난 회계연도 지출 (과년도 지출): use of a year that is found after the year was closed.

The books of a closed year take nothing more, and what was used is owed all the same. So the line
that pays for the project in the present year pays it, never more than what lapsed in the line that
would have paid it then (지방회계법, 지난 회계연도 지출; 국고금 관리법, 과년도 지출). What is above
that, and what has no line or no room, waits and is shown. A decision of the council over what is
above (추경) makes room in a line of the present year; it lifts the bound of what lapsed for nobody,
so the agency spends it there as a paper of its own, and here it goes on being shown as waiting.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from billing.budgets import ChangedMeanwhile, CountersUnavailable
from billing.fiscal import calendar, commitments, enforcement, journal, usage
from billing.fiscal.book import Broken
from billing.fiscal.commitments import Paper, Source
from billing.fiscal.journal import Note
from billing.fiscal.lines import Entry
from billing.fiscal.movements import Kind, Movement
from billing.fiscal.refusals import UsedAlready
from billing.fiscal.usage import Use
from billing.models import (
    BudgetLine,
    CommitmentOrigin,
    FiscalCommitment,
    FiscalMovement,
    FiscalYear,
    FiscalYearState,
    ProjectLine,
)
from portal.lib.periods import seoul_date
from tenants import actors, rls
from tenants.actors import Actor

log = structlog.get_logger()

BECAUSE = "지난 회계연도 지출"


class Wait(StrEnum):
    """Why something is not paid whole."""

    NO_LINE = "no_line"  # no line of the present year pays for the project
    NOT_LAPSED = "not_lapsed"  # more than what lapsed: the council decides
    NO_ROOM = "no_room"  # the present line's allotment has no room


@dataclass(frozen=True, slots=True)
class Late:
    """Use of a closed year that is not paid yet; whole won with VAT. ``payable`` of ``won`` is
    paid from ``into``; ``wait`` says why the rest is not."""

    line: BudgetLine
    use: Use
    won: int
    into: BudgetLine | None
    payable: int
    wait: Wait | None


def share(won: int, *, lapsed: int, room: int) -> tuple[int, Wait | None]:
    """How much of late use is paid, and why not all of it. Pure. ``lapsed``: what lapsed of the
    old line and was not paid out since; ``room``: what is left of the present one's allotment."""
    payable = max(0, min(won, lapsed, room))
    if payable == won:
        return payable, None
    return payable, Wait.NOT_LAPSED if lapsed <= room else Wait.NO_ROOM


def pay_all(*, now: datetime) -> int:
    """Sweep: the year before this one, where it is closed. How many entries were written."""
    with rls.everyone(because="sweep: late usage of public institutions"):
        years = list(
            FiscalYear.objects.filter(
                state=FiscalYearState.CLOSED,
                year=calendar.year_of(now) - 1,
                bindings__isnull=False,
            )
            .select_related("organization")
            .distinct()
        )
    return sum(_pay_safely(year, now) for year in years)


def _pay_safely(year: FiscalYear, now: datetime) -> int:
    """One organization's trouble stops no other's; the next sweep tries again."""
    try:
        return len(pay(year, by=actors.system(year.organization, _("Usage booking")), now=now))
    except Exception:
        log.exception("fiscal.late_use_not_paid", year=year.public_id)
        return 0


def pay(year: FiscalYear, *, by: Actor, now: datetime) -> list[FiscalMovement]:
    """Pay what can be paid; the rest waits for the next try. Outside of any transaction, because
    the counters are told first."""
    with actors.scope_for(by):
        waiting = found(year, now=now)
    rows = []
    for one in waiting:
        try:
            rows += _pay(year, one, by, now)
        except (Broken, UsedAlready, ChangedMeanwhile, CountersUnavailable):
            continue  # running use has taken the room since
    return rows


def found(year: FiscalYear, *, now: datetime) -> list[Late]:
    """Use of a closed year that neither its own lines nor later ones have paid."""
    if year.state != FiscalYearState.CLOSED:
        return []
    waiting = [one for one in usage.missing(year, now) if one[2] > 0]
    if not waiting:
        return []
    present = FiscalYear.objects.filter(
        organization_id=year.organization_id,
        year=calendar.year_of(now),
        state=FiscalYearState.OPEN,
    ).first()
    lapsed, rooms = _lapsed(year), _rooms(present, seoul_date(now))
    result = []
    for line, use, missing in waiting:
        into = _line_now(present, line, use) if present else None
        rest = (lapsed[line.public_id], rooms[into.public_id]) if into else (0, 0)
        payable, wait = share(missing, lapsed=rest[0], room=rest[1])
        result.append(Late(line, use, missing, into, payable, wait if into else Wait.NO_LINE))
        if into:
            lapsed[line.public_id] -= payable
            rooms[into.public_id] -= payable
    return result


def _lapsed(year: FiscalYear) -> dict[str, int]:
    """By line: what lapsed, less what was paid for it since."""
    lines = {name: one.lapsed for name, one in journal.book_of(year).lines.items()}
    paid = (
        FiscalMovement.objects.filter(
            commitment__origin=CommitmentOrigin.LATE,
            commitment__reference__in=[_reference(one) for one in lines],
            kind=Kind.EXPENDITURE,
        )
        .order_by()
        .values_list("commitment__reference")
        .annotate(Sum("won"))
    )
    since = dict(paid)
    return defaultdict(
        int, {name: won - since.get(_reference(name), 0) for name, won in lines.items()}
    )


def _rooms(present: FiscalYear | None, today: date) -> dict[str, int]:
    if present is None:
        return {}
    lines = journal.book_of(present).lines
    left = {name: one.columns(present.year, today).left for name, one in lines.items()}
    return defaultdict(int, left)


def _line_now(present: FiscalYear, line: BudgetLine, use: Use) -> BudgetLine | None:
    """That of the project; else the one with the same code."""
    binding = ProjectLine.objects.filter(fiscal_year=present, project__public_id=use.project)
    bound = binding.select_related("line__fiscal_year").first()
    if bound is not None:
        return bound.line
    rows = BudgetLine.objects.filter(fiscal_year=present, code=line.code, carried="")
    return rows.select_related("fiscal_year").first()


def _reference(line: str) -> str:
    return f"late:{line}"


def _pay(year: FiscalYear, one: Late, by: Actor, now: datetime) -> list[FiscalMovement]:
    into, today = one.into, seoul_date(now)
    if into is None or not one.payable:
        return []
    with actors.scope_for(by):
        known = _known(one, into)
    name, kind = (known.public_id, Kind.CHANGE) if known else (enforcement.NEW, Kind.COMMITMENT)
    entry = Movement(into.public_id, kind, one.payable, today, commitment=name)
    enforcement.tell_before(into, entry, by=by, now=now)
    with actors.scope_for(by), transaction.atomic():
        present = journal.lock(into.fiscal_year)
        if one not in found(year, now=now):
            return []  # somebody else was faster
        rows = _write(present, one, into, by, now)
        enforcement.keep(present, [into], now=now)
    return rows


def _known(one: Late, into: BudgetLine) -> FiscalCommitment | None:
    return FiscalCommitment.objects.filter(
        line=into, reference=_reference(one.line.public_id), month=one.use.month
    ).first()


def _write(
    present: FiscalYear, one: Late, into: BudgetLine, by: Actor, now: datetime
) -> list[FiscalMovement]:
    """The month's commitment, made or raised, and its expenditure."""
    today, rows = seoul_date(now), []
    made = _known(one, into)
    if made is None:
        paper = Paper(f"{one.use.month} 사용료 (지난 회계연도)", "두레")
        source = Source(
            CommitmentOrigin.LATE,
            one.use.project,
            _reference(one.line.public_id),
            one.use.month,
        )
        entry = Entry(one.payable, today, because=BECAUSE)
        made = commitments.write(present, into, paper, entry, source, by, now)
    else:
        raised = Movement(
            into.public_id, Kind.CHANGE, one.payable, today, commitment=made.public_id
        )
        note = Note(because=BECAUSE, project=one.use.project)
        rows += journal.post(year=present, movements=[raised], note=note, by=by, now=now)
    spent = Movement(
        into.public_id, Kind.EXPENDITURE, one.payable, today, commitment=made.public_id
    )
    note = Note(
        because=BECAUSE,
        document=one.use.reference,
        project=one.use.project,
        usage_month=one.use.month,
    )
    return rows + journal.post(year=present, movements=[spent], note=note, by=by, now=now)
