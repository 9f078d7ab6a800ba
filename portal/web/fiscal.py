"""Fiscal years of public bodies: the board, a line, the journal, the register, files for the books.

The year stands in the address (``?year=2026``); without it, it is this one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing.fiscal import (
    bindings,
    calendar,
    files,
    journal,
    late,
    queries,
    transfers,
    unpaid,
    years,
)
from billing.fiscal import commitments as deeds
from billing.fiscal.book import reversible_in
from billing.fiscal.calendar import Phase
from billing.fiscal.refusals import KINDS, PHASES
from billing.models import FiscalYear, TransferState
from portal.lib import sheets, spreadsheet
from portal.lib.periods import seoul_date
from portal.web import charts, doors, states
from portal.web.fiscal_forms import FilterForm
from tenants import audit
from tenants.actors import Actor
from tenants.models import OrganizationKind


def year_asked(request: HttpRequest) -> int | None:
    """``None`` for nothing and for what is no year."""
    text = doors.word(request.GET, "year")
    known = text.isdecimal() and text.isascii() and len(text) == 4
    return int(text) if known else None


def year_or_404(request: HttpRequest, now: datetime) -> FiscalYear:
    found = years.shown(doors.actor(request), year_asked(request), now)
    if found is None:
        raise Http404
    return found


@require_GET
@doors.page_for("budgets.read")
def index(request: HttpRequest) -> HttpResponse:
    """Columns by line, quarters, what waits for a second person, what the year's end asks for."""
    actor, now = doors.actor(request), timezone.now()
    known = list(queries.years(actor))
    year = years.chosen(known, year_asked(request), now)
    if year is None:
        public = actor.organization.kind == OrganizationKind.PUBLIC
        context = {"years": known, "public": public, "next": calendar.year_of(now)}
        return render(request, "fiscal/none.html", context)
    search = doors.word(request.GET, "q")[:60]
    board = queries.board(actor, year, now=now, search=search)
    context = {
        **frame(year, now),
        "years": known,
        "board": board,
        "rows": [(row, gauge(row.columns)) for row in board.rows],
        "sum": gauge(board.total),
        "search": search,
        "bars": _bars(board),
        "transfers": transfers.shown(actor, year).filter(state=TransferState.OPEN)[:20],
        "unbound": bindings.unbound(actor.organization, year=year.year),
        "deadlines": _deadlines(year, now),
        **_owed(actor, year, known, now),
    }
    return render(request, "fiscal/index.html", context)


def _owed(actor: Actor, year: FiscalYear, known: list[FiscalYear], now: datetime) -> dict[str, Any]:
    """What is spent and not paid, and late use of the year before: of the whole organization, so
    not for who sees some of its projects only."""
    if actor.projects is not None:
        return {}
    context: dict[str, Any] = {}
    if actor.can("invoices.read"):
        context["unpaid"] = unpaid.of(year, now=now)
    before = next((one for one in known if one.year == year.year - 1), None)
    if before is not None and year.year == calendar.year_of(now):
        waiting = late.found(before, now=now)
        paid = sum(one.spent for one in queries.paid_late(actor, before))  # type: ignore[attr-defined]
        context |= {"before": before, "late_paid": paid, "late": sum(one.won for one in waiting)}
    return context


def frame(year: FiscalYear, now: datetime) -> dict[str, Any]:
    """What every page of a year shows."""
    phase = journal.phase_of(year, now)
    return {
        "year": year,
        "phase": phase,
        "state": states.FISCAL_YEAR[phase],
        "phase_words": PHASES[phase],
        "now": now,
        "query": urlencode({"year": year.year}),
        "writable": (Phase.OPEN, Phase.SETTLING),
        "reversible": reversible_in(phase),
    }


def gauge(columns: Any) -> dict[str, str]:
    """Shares of the allotment: committed behind spent, in percent of the width."""
    allotted = columns.allotted or 1
    committed = min(100, columns.committed * 100 / allotted)
    spent = min(100, columns.spent * 100 / allotted)
    return {
        "committed": f"{committed:.1f}",
        "spent": f"{spent:.1f}",
        "label": f"{spent:.1f}%" if columns.allotted else "–",
    }


def _bars(board: queries.Board) -> dict[str, Any]:
    pairs = [(one.allotted, one.committed) for one in board.quarters]
    return charts.pairs([f"{one.quarter}" for one in board.quarters], pairs)


def _deadlines(year: FiscalYear, now: datetime) -> list[tuple[str, Any, int]]:
    """(what, day, days until) in the last quarter and while the year is being settled."""
    today = seoul_date(now)
    days = [
        ("commit", calendar.last_day(year.year)),
        ("pay", calendar.last_payment_day(year.year)),
    ]
    near = calendar.first_day(year.year, 4) <= today <= calendar.last_payment_day(year.year)
    if not near or journal.phase_of(year, now) not in (Phase.OPEN, Phase.SETTLING):
        return []
    return [(what, day, (day - today).days) for what, day in days if day >= today]


@require_GET
@doors.page_for("budgets.read")
def line(request: HttpRequest, public_id: str) -> HttpResponse:
    """One line: columns, quarters, projects, its latest entries."""
    actor, now = doors.actor(request), timezone.now()
    found = line_or_404(actor, public_id)
    year = found.fiscal_year
    board = queries.board_of_line(actor, found, now=now)
    rows = queries.movements(actor, year, line=public_id)
    context = {
        **frame(year, now),
        "line": found,
        "columns": board.total,
        "gauge": gauge(board.total),
        "quarters": board.quarters,
        "movements": _shown(rows[:20]),
        "commitments": queries.commitments(actor, year, line=public_id)[:20],
        "bound": [one.project for one in found.bindings.select_related("project")],
        "carryovers": found.carryovers.filter(withdrawn_at=None).select_related("commitment"),
    }
    return render(request, "fiscal/line.html", context)


def line_or_404(actor: Actor, public_id: str) -> Any:
    return get_object_or_404(queries.all_lines(actor), public_id=public_id)


def _shown(rows: Any) -> list[tuple[Any, str]]:
    return [(one, str(KINDS[one.kind])) for one in rows]


@require_GET
@doors.page_for("budgets.read")
def movements(request: HttpRequest) -> HttpResponse:
    """The journal: ``?line=bln_…&kind=allotment&since=2026-01-01&until=2026-03-31``."""
    actor, now = doors.actor(request), timezone.now()
    year = year_or_404(request, now)
    form = FilterForm(request.GET, lines=list(queries.lines(actor, year)))
    filters = form.filters()
    rows = queries.movements(
        actor, year, line=filters.line, kind=filters.kind, since=filters.since, until=filters.until
    )
    page = doors.page_of(request, rows)
    words = {"year": str(year.year), **filters.words()}
    context = {
        **frame(year, now),
        "form": form,
        "page": page,
        "rows": _shown(page),
        "filtered": bool(filters.words()),
        "words": urlencode(words),
        "more": urlencode(words) + "&",
    }
    return render(request, "fiscal/movements.html", context)


@require_GET
@doors.page_for("budgets.read")
def commitments(request: HttpRequest) -> HttpResponse:
    """원인행위부: ``?line=bln_…&q=계약&open=1``."""
    actor, now = doors.actor(request), timezone.now()
    year = year_or_404(request, now)
    asked = {
        "line": doors.word(request.GET, "line")[:24],
        "q": doors.word(request.GET, "q")[:60],
        "open": "1" if request.GET.get("open") == "1" else "",
    }
    rows = queries.commitments(
        actor, year, line=asked["line"], search=asked["q"], open_only=bool(asked["open"])
    )
    words = {"year": str(year.year)} | {name: value for name, value in asked.items() if value}
    context = {
        **frame(year, now),
        "page": doors.page_of(request, rows),
        "lines": queries.lines(actor, year),
        "asked": asked,
        "filtered": len(words) > 1,
        "words": urlencode(words),
        "more": urlencode(words) + "&",
    }
    return render(request, "fiscal/commitments.html", context)


@require_GET
@doors.page_for("budgets.read")
def commitment(request: HttpRequest, public_id: str) -> HttpResponse:
    """One commitment with everything that was written about it."""
    actor, now = doors.actor(request), timezone.now()
    found = queries.commitment(actor, public_id)
    if found is None:
        raise Http404
    rows = found.movements.select_related(
        "line__fiscal_year", "commitment__fiscal_year", "fiscal_year"
    )
    won, spent = deeds.sums(found)
    context = {
        **frame(found.fiscal_year, now),
        "won": won,
        "spent": spent,
        "left": won - spent,
        "commitment": found,
        "movements": _shown(rows),
        "carryover": found.carryovers.filter(withdrawn_at=None).first(),
    }
    return render(request, "fiscal/commitment.html", context)


@require_GET
@doors.page_for("budgets.read")
def export(request: HttpRequest, kind: str) -> HttpResponse:
    """The agency's books as a workbook, or one table of them as CSV (``?what=commitments``)."""
    actor, now = doors.actor(request), timezone.now()
    year = year_or_404(request, now)
    what = doors.word(request.GET, "what") or "board"
    if what not in files.TABLES or kind not in ("csv", "xlsx"):
        raise Http404
    audit.record("fiscal.export", by=actor, now=now, subject=year.public_id)
    if kind == "xlsx":
        content: Any = sheets.workbook(*files.books(actor, year, now=now))
        response = HttpResponse(content, content_type=sheets.CONTENT_TYPE)
        name = f"fiscal-{year.year}.xlsx"
    else:
        table = files.table(what, actor, year, now=now)
        content = "".join(spreadsheet.lines(table.head, table.rows))
        response = HttpResponse(content, content_type=spreadsheet.CONTENT_TYPE)
        name = f"fiscal-{year.year}-{what}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
