"""The operator's month end: how far it is, what is set aside, what waits for an answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from billing import queries
from billing.closing import reviewing, runs, standing
from billing.models import CloseState, MonthClose
from portal.lib.periods import Month
from portal.lib.wake import wake
from portal.web import doors, states
from tenants import reasons

COUNTED = 3  # of the list: each is a sum over all customers; the others' pages have theirs
RUN_REFUSED = (runs.NotNow, runs.MonthNotOver)


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every month's run, the newest first, and the one that can be begun."""
    last = Month.of(timezone.now()).previous
    page = doors.page_of(request, MonthClose.objects.all())
    rows = [
        (close, states.MONTH_CLOSE[close.state], standing.of(close) if place < COUNTED else None)
        for place, close in enumerate(page)
    ]
    context = {"page": page, "rows": rows, "last": last, "begun": runs.find(last) is not None}
    return render(request, "operator/month_ends.html", context)


@require_GET
@doors.page_for("operator.read")
def detail(request: HttpRequest, month: str) -> HttpResponse:
    """The cockpit of one month."""
    close, now = _find(month), timezone.now()
    found = standing.of(close)
    context = {
        "close": close,
        "state": states.MONTH_CLOSE[close.state],
        "steps": _steps(close, found),
        "standing": found,
        "failed": standing.failed(close),
        "objections": reviewing.unanswered(close),
        "moves": close.moves.all(),
        "now": now,
        "may": doors.actor(request).can("operator.billing"),
    }
    return render(request, "operator/month_end.html", context)


def _find(month: str) -> MonthClose:
    try:
        close = runs.find(Month.parse(month))
    except ValueError as error:
        raise Http404 from error
    if close is None:
        raise Http404
    return close


def _steps(close: MonthClose, found: standing.Standing) -> list[dict[str, Any]]:
    """The way of a run, with what each step has done."""
    order = list(CloseState)
    here = order.index(CloseState(close.state))
    counts = found.counts
    notes = {
        CloseState.RATING: _("%(count)d organizations") % {"count": found.organizations},
        CloseState.DRAFTING: _("%(left)d wait, %(failed)d set aside")
        % {"left": counts["stale"], "failed": counts["failed"]},
        CloseState.REVIEW: _("%(objections)d objections, %(comments)d comments")
        % {"objections": found.objections, "comments": found.comments},
        CloseState.FINALISING: _("%(issued)d issued, %(nothing)d with nothing to bill")
        % {"issued": counts["issued"], "nothing": counts["nothing"]},
        CloseState.DONE: "",
    }
    done = close.state == CloseState.DONE
    return [
        {
            "title": state.label,
            "note": notes[state],
            "mark": "done" if place < here or done else "current" if place == here else "waiting",
        }
        for place, state in enumerate(order)
    ]


# ─── deeds ─────────────────────────────────────────────────────────────────────────────────────


@require_POST
@doors.page_for("operator.billing")
def begin(request: HttpRequest) -> HttpResponse:
    """Begin the month that is over, or go on with it: the worker does it at once."""
    try:
        month = Month.parse(doors.word(request.POST, "month"))
        close = runs.begin(month, by=doors.actor(request), now=timezone.now())
    except ValueError as error:
        raise Http404 from error
    except runs.MonthNotOver as error:
        messages.error(request, str(error))
        return redirect("month_ends")
    wake("portal.deployments.tasks.resume_month", close_id=close.pk)
    messages.success(request, _("The month end goes on. This page shows how far it is."))
    return redirect("month_end", month=close.month)


@require_POST
@doors.page_for("operator.billing")
def decide(request: HttpRequest, month: str) -> HttpResponse:
    """Issue now, draft everything again, or try what was set aside once more."""
    close, by, now = _find(month), doors.actor(request), timezone.now()
    try:
        messages.success(request, _decide(close, doors.word(request.POST, "deed"), by, now))
    except RUN_REFUSED as error:
        messages.error(request, str(error))
    else:
        wake("portal.deployments.tasks.resume_month", close_id=close.pk)
    return redirect("month_end", month=close.month)


def _decide(close: MonthClose, deed: str, by: Any, now: datetime) -> str:
    if deed == "finalise":
        runs.finalise_now(close, by=by, now=now)
        return _("The review is over. Invoices are being issued.")
    if deed == "again":
        runs.draft_again(close, by=by, now=now)
        return _("Everything is counted and drafted again.")
    if deed == "retry":
        count = runs.retry(close, by=by, now=now)
        return _("%(count)d are tried again.") % {"count": count}
    raise Http404


@require_GET
@doors.page_for("operator.read")
def draft(request: HttpRequest, public_id: str) -> HttpResponse:
    """One customer's draft, with what was said about it."""
    actor = doors.actor(request)
    found = get_object_or_404(queries.any_draft(actor), public_id=public_id)
    context = {
        "draft": found,
        "customer": found.organization,
        "state": states.DRAFT["held" if found.held else found.state],
        "lines": found.lines.all(),
        "comments": found.comments.select_related("answers"),
        "answerable": queries.unanswered_of(found) if actor.can("operator.billing") else [],
    }
    return render(request, "operator/month_end_draft.html", context)


@require_POST
@doors.page_for("operator.billing")
def answer(request: HttpRequest, public_id: str) -> HttpResponse:
    """Answer an objection; the draft is made again if that is wished."""
    actor = doors.actor(request)
    objection = get_object_or_404(queries.objections(actor), public_id=public_id)
    try:
        reviewing.answer(
            objection=objection,
            text=doors.word(request.POST, "text"),
            again=bool(doors.word(request.POST, "again")),
            by=actor,
            now=timezone.now(),
        )
    except (reviewing.AnsweredAlready, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        wake("portal.deployments.tasks.resume_month", close_id=objection.draft.close_id)
        messages.success(request, _("Answered. The customer is told."))
    return redirect("month_end_draft", public_id=objection.draft.public_id)
