"""Requests: a list with filters in the address, a file, one request's course and cost.

Metadata only: prompts and answers are stored nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from billing import request_costs
from portal.deployments import naming
from portal.lib import spreadsheet
from portal.lib.money import micro_to_won
from portal.lib.periods import SEOUL
from portal.usage import requests
from portal.usage.models import LedgerEntry
from portal.web import doors
from portal.web.request_forms import FilterForm
from portal.web.states import ANSWER
from portal.web.templatetags.dure import kst, number
from tenants import actors, rls
from tenants.models import DataClass

HEAD = [
    "request_id",
    "admitted_at",
    "first_byte_ms",
    "duration_ms",
    "project",
    "key",
    "endpoint",
    "route",
    "model",
    "site",
    "chip",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
    "counted",
    "outcome",
    "data_class",
    "simulated",
    "waited_ms",
    "attempts",
    "stream",
    "late",
    "batch",
    "cost_won",
    "settled_won",
    "written_off_won",
]


@require_GET
@doors.page_for("usage.read")
def index(request: HttpRequest) -> HttpResponse:
    """Newest first: ``?since=2026-11-16&until=2026-11-17&project=prj_…&only=late``."""
    actor, now = doors.actor(request), timezone.now()
    names = naming.names(actor)
    form = FilterForm(request.GET, names=names, now=now)
    filters = form.filters()
    try:
        page = requests.page(actor, filters, doors.word(request.GET, "cursor"))
    except requests.BadCursor:
        return HttpResponseBadRequest(_("This page of the list does not exist. Start at its top."))
    names = naming.with_keys(actor, names, page.entries)
    words = filters.words()
    context = {
        "form": form,
        "filters": filters,
        "rows": [(entry, ANSWER.get(entry.outcome)) for entry in page.entries],
        "names": names,
        "older": urlencode(words | {"cursor": page.older}) if page.older else "",
        "newest": bool(request.GET.get("cursor")),
        "query": urlencode(words),
    }
    return render(request, "requests/index.html", context)


@require_GET
@doors.page_for("usage.read")
def detail(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """One request: its course, how it was counted, what it cost."""
    actor = doors.actor(request)
    found = requests.find(actor, request_id)
    if found is None:
        raise Http404
    entry = found.entry
    context: dict[str, Any] = {"request_id": request_id, "entry": entry, "orphan": found.orphan}
    if entry is not None:
        context |= {
            "state": ANSWER.get(entry.outcome),
            "data_class": _classes().get(entry.data_class, entry.data_class),
            "steps": _steps(entry),
            "cost": request_costs.of(entry),
            "hold": micro_to_won(entry.hold_micro),
            "names": naming.names(actor, [entry]),
            "endpoint": naming.endpoint_of(actor, entry),
        }
    elif found.orphan is not None:
        context["hold"] = micro_to_won(found.orphan.hold_micro)
    return render(request, "requests/detail.html", context)


def _classes() -> dict[str, str]:
    return {one.value: str(one.label) for one in DataClass}


def _steps(entry: LedgerEntry) -> list[dict[str, Any]]:
    """What happened when, each in milliseconds from admission."""
    admitted = entry.admitted_at.astimezone(SEOUL)
    precise = f"{admitted:%H:%M:%S}.{admitted.microsecond // 1000:03d}"
    first, ended = entry.first_byte_ms, entry.outcome in {"answered", "client_left"}
    return [
        _step(_("Admitted"), precise),
        *([_step(_("Waited for a place"), _waited(entry.waited_ms))] if entry.waited_ms else []),
        _step(
            _("Given to a site"),
            _("%(count)s attempts") % {"count": entry.attempts}
            if entry.attempts > 1
            else _("at the first attempt"),
        ),
        _step(
            _("First byte"), _("none came") if first is None else _after(first), first is not None
        ),
        _step(pgettext("course", "End"), _after(entry.duration_ms), ended),
        _step(_("In the ledger"), format_html("{}", kst(entry.recorded_at)), not entry.late),
    ]


def _step(title: str, note: str, good: bool = True) -> dict[str, Any]:
    return {"title": title, "note": note, "mark": "done" if good else "bad"}


def _waited(milliseconds: int) -> str:
    return _("%(count)s ms in the queue of its endpoint") % {"count": number(milliseconds)}


def _after(milliseconds: int) -> str:
    return _("after %(count)s ms") % {"count": number(milliseconds)}


@rls.own_transactions
@require_GET
@doors.page_for("usage.read")
def export(request: HttpRequest) -> HttpResponseBase:
    """What fits, as CSV, written while it is read."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        form = FilterForm(request.GET, names=naming.names(actor), now=now)
    filters = form.filters()
    pieces = spreadsheet.lines(HEAD, (_row(one) for one in requests.export(actor, filters)))
    response = StreamingHttpResponse(pieces, content_type=spreadsheet.CONTENT_TYPE)
    name = f"requests-{filters.since}-{filters.until}"
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _row(entry: LedgerEntry | None) -> Sequence[object]:
    if entry is None:
        most = {"most": number(requests.EXPORT_MOST)}
        return [_("The file ends here, at %(most)s requests. Choose fewer days.") % most]
    return [
        str(entry.request_id),
        entry.admitted_at.astimezone(SEOUL).isoformat(timespec="milliseconds"),
        entry.first_byte_ms,
        entry.duration_ms,
        entry.project,
        entry.key,
        entry.endpoint,
        entry.route,
        entry.model,
        entry.site,
        entry.chip,
        entry.tokens_in,
        entry.tokens_cached,
        entry.tokens_out,
        entry.counted,
        entry.outcome,
        entry.data_class,
        entry.simulated,
        entry.waited_ms,
        entry.attempts,
        entry.stream,
        entry.late,
        entry.batch,
        f"{micro_to_won(entry.cost_micro):f}",
        f"{micro_to_won(entry.settled_micro):f}",
        f"{micro_to_won(entry.written_off_micro):f}",
    ]
