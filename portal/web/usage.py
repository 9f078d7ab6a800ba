"""Usage: filters in the address, totals that the invoice repeats, CSV."""

from __future__ import annotations

import csv
import io

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.lib.periods import Month
from portal.usage import queries
from portal.web import charts, doors


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
    """The same table as CSV; with a byte order mark, because Excel in Korea wants it."""
    actor = doors.actor(request)
    month = doors.month_of(request, Month.of(timezone.now()))
    group = request.GET.get("group", "model")
    if group not in queries.GROUPS:
        group = "model"
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        [group, "requests", "tokens_in", "tokens_cached", "tokens_out", "won", "written_off_won"]
    )
    for row in queries.by(actor, month.period, group):
        writer.writerow(
            [
                _harmless(row.name),
                row.requests,
                row.tokens_in,
                row.tokens_cached,
                row.tokens_out,
                f"{row.settled_micro / 1_000_000:.6f}",
                f"{row.written_off_micro / 1_000_000:.6f}",
            ]
        )
    response = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="usage-{month}-{group}.csv"'
    return response


def _harmless(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
