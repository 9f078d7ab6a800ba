"""Booked drills of an endpoint: book, watch, end, report."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.deployments import queries
from portal.deployments.actions import drills
from portal.deployments.actions.drills import Window
from portal.deployments.models import Drill, Endpoint
from portal.fleet.models import Site
from portal.lib.periods import SEOUL
from portal.web import doors, drill_report
from portal.web.digits import WholeField
from portal.web.endpoint_orders import TitledChoice
from portal.web.states import DRILL

REFUSALS = (drills.BadWindow, drills.NoSecondSite, drills.DrillThen, drills.TooManyDrills)
LONGEST_MINUTES = int(drills.LONGEST / timedelta(minutes=1))


class DrillForm(forms.Form):
    """Times are those of Korea."""

    site = TitledChoice(
        label=gettext_lazy("Site that is withdrawn"),
        queryset=Site.objects.none(),
        to_field_name="code",
        empty_label=None,
    )
    day = forms.DateField(
        label=pgettext_lazy("drill", "Day"), widget=forms.DateInput(attrs={"type": "date"})
    )
    at = forms.TimeField(
        label=pgettext_lazy("drill", "From"), widget=forms.TimeInput(attrs={"type": "time"})
    )
    minutes = WholeField(
        label=gettext_lazy("For how many minutes"),
        min_value=5,
        max_value=LONGEST_MINUTES,
        initial=30,
    )

    def __init__(self, *args: Any, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = Site.objects.filter(placements__endpoint=endpoint, placements__wanted=True)
        self.fields["site"].queryset = here.distinct()  # type: ignore[attr-defined]

    def window(self) -> Window:
        """Of a valid form."""
        chosen = self.cleaned_data
        at: time = chosen["at"]
        start = datetime.combine(chosen["day"], at.replace(second=0), tzinfo=SEOUL)
        return Window(start, start + timedelta(minutes=chosen["minutes"]))


@require_http_methods(["GET", "POST"])
@doors.page_for("endpoints.read")
def index(request: HttpRequest, public_id: str) -> HttpResponse:
    """Those of one endpoint, and a form for the next."""
    actor = doors.actor(request)
    endpoint = get_object_or_404(queries.own_endpoints(actor), public_id=public_id)
    soon = timezone.localtime(timezone.now() + timedelta(minutes=10))
    initial = {"day": f"{soon:%Y-%m-%d}", "at": f"{soon:%H:%M}"}
    form = DrillForm(request.POST or None, endpoint=endpoint, initial=initial)
    if request.method == "POST":
        actor.require("endpoints.change")
        if form.is_valid() and (booked := _booked(form, endpoint, request)) is not None:
            messages.success(request, _("Booked. It begins and ends by itself."))
            return redirect("drill", booked.public_id)
    rows = Drill.objects.visible_to(actor).filter(endpoint=endpoint).select_related("site")
    page = doors.page_of(request, rows)
    context = {
        "endpoint": endpoint,
        "form": form,
        "page": page,
        "rows": [(one, DRILL[one.state]) for one in page],
    }
    return render(request, "drills/index.html", context, status=422 if form.errors else 200)


def _booked(form: DrillForm, endpoint: Endpoint, request: HttpRequest) -> Drill | None:
    """``None`` if it was refused: then the form says why."""
    try:
        return drills.book(
            endpoint=endpoint,
            site=form.cleaned_data["site"],
            window=form.window(),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except REFUSALS as error:
        form.add_error(None, str(error))
        return None


def _find(request: HttpRequest, public_id: str) -> Drill:
    rows = Drill.objects.visible_to(doors.actor(request)).select_related("endpoint", "site")
    found: Drill = get_object_or_404(rows, public_id=public_id)
    return found


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One drill: its steps, and its report once it is signed."""
    one = _find(request, public_id)
    claims = drill_report.claims_of(one)
    context = {
        "one": one,
        "state": DRILL[one.state],
        "moves": list(one.moves.all()),
        "steps": drill_report.steps(one),
        "next_words": drill_report.next_words(one),
        "report": drill_report.rows(claims) if claims else [],
        "verdict": drill_report.verdict(claims) if claims else None,
        "open": one.state in ("booked", "running"),
    }
    return render(request, "drills/detail.html", context)


@require_POST
@doors.page_for("endpoints.change")
def end(request: HttpRequest, public_id: str) -> HttpResponse:
    """Cancel it, or let the site answer again at once."""
    one = _find(request, public_id)
    drills.end(drill=one, by=doors.actor(request), now=timezone.now())
    messages.success(request, _("Ended. The site answers again within a second."))
    return redirect("drill", public_id)


@require_GET
@doors.page_for("endpoints.read")
def report(request: HttpRequest, public_id: str) -> HttpResponse:
    """The signed report as a PDF."""
    one = _find(request, public_id)
    if not one.jws:
        raise Http404
    answer = HttpResponse(drill_report.pdf(one), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="dure-{one.public_id}.pdf"'
    return answer
