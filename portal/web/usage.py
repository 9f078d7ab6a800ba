"""Usage: filters in the address, totals that the invoice repeats, CSV, the FOCUS file."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.deployments import focus as focus_files
from portal.lib import spreadsheet
from portal.lib.periods import Month
from portal.usage import queries
from portal.web import charts, doors
from tenants import rls


@require_GET
@doors.page_for("usage.read")
def index(request: HttpRequest) -> HttpResponse:
    """``?month=2026-11&group=model``."""
    actor = doors.actor(request)
    month = doors.month_of(request, Month.of(timezone.now()))
    group = request.GET.get("group", "model")
    if group not in queries.GROUPS:
        group = "model"
    return render(
        request,
        "usage/index.html",
        {
            "month": month,
            "group": group,
            "groups": queries.GROUPS,
            "rows": queries.by(actor, month.period, group),
            "totals": queries.totals(actor, month.period),
            "chart": charts.days(queries.by_day(actor, month.period), month),
            "card_time": queries.card_time_by_endpoint(actor, month.period),
        },
    )


@require_GET
@doors.page_for("usage.read")
def export(request: HttpRequest) -> HttpResponse:
    """The same table as CSV."""
    actor = doors.actor(request)
    month = doors.month_of(request, Month.of(timezone.now()))
    group = request.GET.get("group", "model")
    if group not in queries.GROUPS:
        group = "model"
    head = [group, "requests", "tokens_in", "tokens_cached", "tokens_out", "won", "written_off_won"]
    rows = (
        [
            row.name,
            row.requests,
            row.tokens_in,
            row.tokens_cached,
            row.tokens_out,
            f"{row.settled_micro / 1_000_000:.6f}",
            f"{row.written_off_micro / 1_000_000:.6f}",
        ]
        for row in queries.by(actor, month.period, group)
    )
    content = "".join(spreadsheet.lines(head, rows))
    response = HttpResponse(content, content_type=spreadsheet.CONTENT_TYPE)
    response["Content-Disposition"] = f'attachment; filename="usage-{month}-{group}.csv"'
    return response


@rls.own_transactions
@require_GET
@doors.page_for("invoices.read")
def focus(request: HttpRequest) -> HttpResponseBase:
    """What the month costs, in the form of FOCUS, written while it is read."""
    actor, now = doors.actor(request), timezone.now()
    month = doors.month_of(request, Month.of(now))
    pieces = focus_files.pieces(actor, month, english=request.LANGUAGE_CODE != "ko", now=now)
    response = StreamingHttpResponse(pieces, content_type=focus_files.CONTENT_TYPE)
    name = focus_files.name(actor, month)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
