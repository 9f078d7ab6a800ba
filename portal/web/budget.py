"""The budget board: how budgets stand, one of them day by day, and asking for more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing import board as boards
from billing import limits
from billing.board import Board, Found, Row
from billing.funding.queries import prepaid_left
from portal.deployments.models import Endpoint
from portal.lib import spreadsheet
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.web import burn, charts, doors
from tenants import actors, rls
from tenants.roles import ROLES, Role

MOST_IN_FILE = 10_000


def _board(request: HttpRequest, *, most: int = boards.MOST_ROWS) -> tuple[Board, Found]:
    """The counters are asked between the two looks, outside of any transaction."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        found = boards.find(actor, most=most)
    asked = boards.ask(found, actor, now=now)
    with actors.scope_for(actor):
        chosen = doors.word(request.GET, "budget")
        return boards.board(found, asked, chosen, actor, now=now), found


@rls.own_transactions
@require_GET
@doors.page_for("budgets.read")
def index(request: HttpRequest) -> HttpResponse:
    """Limit, spent, set aside, held, left; day by day; by scope; who may raise."""
    actor, now = doors.actor(request), timezone.now()
    board, found = _board(request)
    context: dict[str, Any] = {
        "board": board,
        "chosen": board.chosen,
        "rows": [_shown(row, now) for row in board.rows],
        "titles": found.titles,
        "month": Month.of(now),
        "now": now,
        "changes": [(one, found.titles.get(one.budget.subject, "")) for one in board.changes],
        "alerts": [(one, found.titles.get(one.budget.subject, "")) for one in board.alerts],
        "asked": [(one, found.titles.get(one.budget.subject, "")) for one in board.asked],
        "raised_by": [Role(role).label for role in ROLES if "budgets.change" in ROLES[role]],
    }
    if board.chosen is not None:
        context |= _drawn(board, board.chosen) | {"over": board.chosen.budget.is_over(now)}
    with actors.scope_for(actor):
        if board.commitments:
            ordered = Endpoint.objects.visible_to(actor).filter(
                public_id__in={one.endpoint for one in board.commitments}
            )
            context["names"] = dict(ordered.values_list("public_id", "name"))
        if actor.can("payments.read"):
            context["prepaid_won"] = prepaid_left(actor)
        return render(request, "budget/index.html", context)


def _shown(row: Row, now: datetime) -> dict[str, Any]:
    return {
        "row": row,
        "gauge": charts.gauge(row.standing),
        "period": limits.words_of(row.budget),
        "over": row.budget.is_over(now),
    }


def _drawn(board: Board, chosen: Row) -> dict[str, Any]:
    drawn, standing = board.burn, chosen.standing
    assert drawn is not None
    limit = int(standing.limit * MICRO)
    forecast = drawn.forecast
    return {
        "period": limits.words_of(chosen.budget),
        "gauge": charts.gauge(standing),
        "burn": drawn,
        "forecast": forecast,
        "share": forecast and limit and forecast.end.likely / limit,
        "too_much": bool(forecast and forecast.end.likely > limit),
        "chart": burn.burn_down(
            drawn,
            limit=limit,
            thresholds=chosen.budget.steps,
            committed=int(standing.committed * MICRO),
            spent=int(standing.spent * MICRO),
        ),
        "steps": [(step, limit * step // 100) for step in chosen.budget.steps],
        "days": [(day, used, used / limit if limit else None) for day, used in drawn.days],
    }


@rls.own_transactions
@require_GET
@doors.page_for("budgets.read")
def export(request: HttpRequest) -> HttpResponse:
    """Every budget as it stands, as CSV."""
    board, _found = _board(request, most=MOST_IN_FILE)
    head = ["budget", "for", "scope", "period", "hard", "limit_won", "spent_won", "committed_won"]
    head += ["held_won", "left_won"]
    rows = (
        [
            row.budget.public_id,
            row.title,
            row.budget.scope,
            row.budget.period,
            int(row.budget.hard),
            f"{row.standing.limit:.0f}",
            f"{row.standing.spent:.6f}",
            f"{row.standing.committed:.6f}",
            f"{row.standing.held:.6f}",
            f"{row.standing.left:.6f}",
        ]
        for row in board.rows
    )
    content = "".join(spreadsheet.lines(head, rows))
    response = HttpResponse(content, content_type=spreadsheet.CONTENT_TYPE)
    response["Content-Disposition"] = 'attachment; filename="budgets.csv"'
    return response
