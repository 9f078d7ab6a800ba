"""When an endpoint runs and with how many replicas: opening hours, scaling, a number by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from billing import budgets
from billing.fiscal.refusals import Refusal
from portal.deployments import quoting, schedule_words, schedules, timetable
from portal.deployments.actions import bounds, changes, opening
from portal.deployments.actions.bounds import Wished
from portal.deployments.models import Endpoint
from portal.deployments.schedules import BadSchedule, Hours
from portal.web import doors
from portal.web.endpoint_changes import own
from tenants import actors, rls

REFUSALS = (
    bounds.BadBounds,
    changes.NotNow,
    quoting.NotForSale,
    budgets.BudgetExceeded,
    budgets.CountersUnavailable,
    Refusal,
)
FORM_ONLY = frozenset({"holidays", "csrfmiddlewaretoken"})  # there also when nothing is written
ALWAYS = {"hours": {day: ["00:00-24:00"] for day in schedules.DAYS}, "holidays": False}
PRESETS: dict[str, dict[str, Any]] = {"office": schedules.OFFICE, "always": ALWAYS}


@require_GET
@doors.page_for("endpoints.change")
def page(request: HttpRequest, public_id: str) -> HttpResponse:
    """Both forms, as they are set or as a preset has them."""
    endpoint, now = own(request, public_id), timezone.now()
    shown: dict[str, Any] = {"endpoint": endpoint}
    try:
        shown["sizes"] = timetable.sizes(endpoint, now)
    except quoting.NotForSale as error:
        shown["refused"] = str(error)
        return render(request, "endpoints/hours.html", shown)
    row = timetable.schedule_of(endpoint)
    words = PRESETS.get(request.GET.get("preset", "")) or (row.hours if row else {})
    shown |= {
        "schedule": row,
        "by_hand": timetable.by_hand(row, endpoint) if row else "",
        "days": _days(words),
        "holidays": words.get("holidays", True),
        "dates": "\n".join(f"{day} {', '.join(of)}".strip() for day, of in _dates(words)),
        "steps": [(one, schedule_words.step(one)) for one in timetable.steps(endpoint)],
        "most_hours": bounds.MOST_HOURS,
    }
    return render(request, "endpoints/hours.html", shown)


def _days(words: dict[str, Any]) -> list[tuple[str, object, str]]:
    hours = words.get("hours", {})
    return [
        (name, title, ", ".join(hours.get(name, []))) for name, title in schedule_words.DAYS.items()
    ]


def _dates(words: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return list(words.get("dates", {}).items())


def _hours(source: QueryDict) -> Hours:
    """``BadSchedule``. A line of ``dates`` is a date and its spans; without spans it is closed."""
    lines = [line.split(maxsplit=1) for line in doors.word(source, "dates").splitlines()]
    return schedules.read(
        {
            "hours": {day: _spans(doors.word(source, day)) for day in schedules.DAYS},
            "holidays": bool(doors.word(source, "holidays")),
            "dates": {line[0]: _spans("".join(line[1:])) for line in lines if line},
        }
    )


def _spans(text: str) -> list[str]:
    return [one.strip() for one in text[:200].split(",") if one.strip()]


@require_GET
@doors.page_for("endpoints.change")
def estimate(request: HttpRequest, public_id: str) -> HttpResponse:
    """What these hours would cost a month, beside always on; or what is wrong with them."""
    endpoint = own(request, public_id)
    shown: dict[str, Any] = {}
    try:
        if not _is_begun(request.GET):
            return render(request, "endpoints/hours.html#estimate", shown)
        hours = _hours(request.GET)
        shown["found"] = timetable.estimate(endpoint, hours, timezone.now())
    except BadSchedule as error:
        shown["refused"] = schedule_words.fault(error)
    except quoting.NotForSale as error:
        shown["refused"] = str(error)
    return render(request, "endpoints/hours.html#estimate", shown)


def _is_begun(sent: QueryDict) -> bool:
    """Whether anything is written: an empty form is no mistake yet."""
    return any(sent.get(name, "").strip() for name in sent if name not in FORM_ONLY)


@rls.own_transactions
@require_POST
@doors.page_for("endpoints.change")
def set_hours(request: HttpRequest, public_id: str) -> HttpResponse:
    """New opening hours, or none any more. The action opens its own transactions."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        endpoint = own(request, public_id)
    try:
        hours = None if doors.word(request.POST, "none") else _hours(request.POST)
        opening.set_hours(endpoint=endpoint, hours=hours, by=actor, now=timezone.now())
    except BadSchedule as error:
        messages.error(request, schedule_words.fault(error))
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Saved. The hours are followed from now on."))
    return redirect("endpoint_hours", public_id)


@require_POST
@doors.page_for("endpoints.change")
def set_scaling(request: HttpRequest, public_id: str) -> HttpResponse:
    """How the number of replicas follows what is asked."""
    number = _numbers(request.POST)
    wished = Wished(
        least=number("least"),
        per_replica=number("per_replica"),
        up_seconds=number("up_seconds"),
        down_seconds=number("down_seconds"),
        idle_seconds=number("idle_minutes") * 60,
    )
    return _done(request, public_id, lambda one: _set(request, one, wished))


def _set(request: HttpRequest, endpoint: Endpoint, wished: Wished) -> str:
    by, now = doors.actor(request), timezone.now()
    bounds.set_bounds(endpoint=endpoint, wished=wished, by=by, now=now)
    return _("Saved. The number of replicas follows what is asked.")


@require_POST
@doors.page_for("endpoints.change")
def override(request: HttpRequest, public_id: str) -> HttpResponse:
    """So many replicas for some hours; or an end of everything that was done by hand."""
    return _done(request, public_id, lambda one: _override(request, one))


def _override(request: HttpRequest, endpoint: Endpoint) -> str:
    by, now, number = doors.actor(request), timezone.now(), _numbers(request.POST)
    if doors.word(request.POST, "end"):
        opening.follow_now(endpoint=endpoint, by=by, now=now)
        bounds.release(endpoint=endpoint, by=by, now=now)
        return _("Hours and demand decide again.")
    replicas, hours = number("replicas"), number("hours")
    bounds.fix(endpoint=endpoint, replicas=replicas, hours=hours, by=by, now=now)
    return _("Fixed for so long. Afterwards demand decides again.")


def _done(request: HttpRequest, public_id: str, deed: Any) -> HttpResponse:
    endpoint = own(request, public_id)
    try:
        messages.success(request, deed(endpoint))
    except REFUSALS as error:
        messages.error(request, str(error))
    return redirect("endpoint_hours", public_id)


def _numbers(source: QueryDict) -> Any:
    """A field as a number; what is none becomes one that every bound refuses."""

    def number(name: str) -> int:
        text = doors.word(source, name).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1

    return number
