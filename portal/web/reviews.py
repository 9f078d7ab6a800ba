"""Access reviews: who has what, confirmed or removed line by line, signed, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.lib import spreadsheet
from portal.lib.periods import SEOUL, Quarter
from portal.routing import revoking
from portal.web import doors, states
from tenants import audit
from tenants.actions import members
from tenants.actions import reviews as actions
from tenants.models import AccessLine, AccessReview, LineDecision, Project
from tenants.roles import Role
from tenants.scopes import Scope

REMOVE_REFUSED = (members.LastOwner, members.OnlyOwnersMakeOwners)
FILTERS = ("all", "open", "member", "key")


def _find(request: HttpRequest, public_id: str) -> AccessReview:
    rows = AccessReview.objects.visible_to(doors.actor(request))
    return get_object_or_404(rows, public_id=public_id)


@require_GET
@doors.page_for("access.read")
def index(request: HttpRequest) -> HttpResponse:
    """One a quarter, the newest first."""
    actor, now = doors.actor(request), timezone.now()
    today, quarter = now.astimezone(SEOUL).date(), str(Quarter.of(now))
    rows = AccessReview.objects.visible_to(actor).annotate(
        total=Count("lines"), undecided=Count("lines", filter=Q(lines__decision=""))
    )
    page = doors.page_of(request, rows.order_by("-quarter"))
    context = {
        "page": page,
        "rows": [(one, states.REVIEW[one.state_on(today)]) for one in page],
        "quarter": quarter,
        "openable": actor.can("access.sign") and quarter not in {one.quarter for one in page},
    }
    return render(request, "reviews/index.html", context)


@require_POST
@doors.page_for("access.sign")
def open_now(request: HttpRequest) -> HttpResponse:
    """This quarter's review, without waiting for the sweep."""
    review = actions.open_now(by=doors.actor(request), now=timezone.now())
    return redirect("access_review", public_id=review.public_id)


@require_GET
@doors.page_for("access.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Every member and live key as they were, with what was decided."""
    actor, now, review = doors.actor(request), timezone.now(), _find(request, public_id)
    audit.seen("member.read", by=actor, now=now, subject=review.public_id)
    show = doors.word(request.GET, "show")
    show = show if show in FILTERS else "all"
    lines = AccessLine.objects.visible_to(actor).filter(review=review)
    undecided = lines.filter(decision="").count()
    if show == "open":
        lines = lines.filter(decision="")
    elif show != "all":
        lines = lines.filter(kind=show)
    context = {
        "review": review,
        "state": states.REVIEW[review.state_on(now.astimezone(SEOUL).date())],
        "page": doors.page_of(request, lines),
        "undecided": undecided,
        "show": show,
        "deciding": review.signed_at is None and actor.can("access.sign"),
        "roles": dict(Role.choices),
        "scopes": dict(Scope.choices),
        "titles": dict(Project.objects.visible_to(actor).values_list("public_id", "name")),
    }
    return render(request, "reviews/detail.html", context)


@require_POST
@doors.page_for("access.sign")
def decide(request: HttpRequest, public_id: str) -> HttpResponse:
    """Confirm what a line has, or take it away."""
    actor, now = doors.actor(request), timezone.now()
    rows = AccessLine.objects.visible_to(actor).select_related("review")
    line = get_object_or_404(rows, public_id=public_id)
    decision = doors.word(request.POST, "decision")
    try:
        if decision == LineDecision.CONFIRMED:
            actions.confirm(line=line, by=actor, now=now)
        elif decision == LineDecision.REMOVED:
            revoking.remove_reviewed(line=line, by=actor, now=now)
        else:
            messages.error(request, _("Choose to confirm or to remove."))
    except (actions.ReviewSigned, actions.LineDecided, *REMOVE_REFUSED) as error:
        messages.error(request, str(error))
    return redirect("access_review", public_id=line.review.public_id)


@require_POST
@doors.page_for("access.sign")
def sign(request: HttpRequest, public_id: str) -> HttpResponse:
    """From now on it is kept as it is."""
    review = _find(request, public_id)
    try:
        actions.sign(review=review, by=doors.actor(request), now=timezone.now())
    except actions.LinesOpen as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Signed. The review is kept and does not change any more."))
    return redirect("access_review", public_id=public_id)


HEAD = ["kind", "id", "name", "rights", "projects", "last used", "decision", "decided", "by"]


@require_GET
@doors.page_for("access.read")
def export(request: HttpRequest, public_id: str) -> HttpResponse:
    """The lines as a table for spreadsheets. An export is itself an event."""
    actor, review = doors.actor(request), _find(request, public_id)
    audit.record("review.export", by=actor, now=timezone.now(), subject=review.public_id)
    lines = AccessLine.objects.visible_to(actor).filter(review=review)
    text = "".join(spreadsheet.lines(HEAD, _cells(list(lines))))
    response = HttpResponse(text, content_type=spreadsheet.CONTENT_TYPE)
    name = f"access-review-{review.quarter}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _cells(lines: list[AccessLine]) -> Iterator[list[object]]:
    for one in lines:
        rights, projects = one.rights, one.rights.get("projects")
        yield [
            one.kind,
            one.subject,
            one.label,
            rights.get("role") or " ".join(rights.get("scopes", [])),
            "all" if projects is None else " ".join(projects),
            _moment(one.last_used_at),
            one.decision,
            _moment(one.decided_at),
            one.decided_by,
        ]


def _moment(value: datetime | None) -> str:
    return value.isoformat() if value else ""
