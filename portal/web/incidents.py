"""The operator tells of incidents: begun, updated, ended, in both languages."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.lib.periods import SEOUL
from portal.web import doors, talks
from portal.web.support_forms import IncidentForm, IncidentTextForm
from tenants.models import Incident
from tenants.support import incidents as actions
from tenants.support import queues, texts
from tenants.support.incidents import Text


def _find(public_id: str) -> Incident:
    return get_object_or_404(Incident.objects.all(), public_id=public_id)


@require_GET
@doors.page_for("operator.incidents")
def index(request: HttpRequest) -> HttpResponse:
    """Those that go on stand first."""
    page = doors.page_of(request, queues.incidents())
    context = {"page": page, "rows": talks.incident_rows(page)}
    return render(request, "operator/incidents.html", context)


@require_http_methods(["GET", "POST"])
@doors.page_for("operator.incidents")
def new(request: HttpRequest) -> HttpResponse:
    """Tell of one: every signed-in customer reads it at once."""
    now = timezone.now()
    form = IncidentForm(request.POST or None, initial={"began_at": now.astimezone(SEOUL)})
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        try:
            made = actions.begin(
                title=Text(sent["title_ko"], sent["title_en"]),
                text=Text(sent["text_ko"], sent["text_en"]),
                sites=sent["sites"],
                began_at=sent["began_at"],
                by=doors.actor(request),
                now=now,
            )
        except texts.BadText as error:
            form.add_error(error.field, str(error))
        except actions.BadBeginning as error:
            form.add_error("began_at", str(error))
        else:
            return redirect("incident", public_id=made.public_id)
    status = 422 if form.errors else 200
    return render(request, "operator/incident_new.html", {"form": form}, status=status)


def _shown(
    request: HttpRequest, found: Incident, form: IncidentTextForm | None = None
) -> HttpResponse:
    (row,) = talks.incident_rows([found])
    context = {
        **row,
        "found": found,
        "updates": found.updates.all(),
        "linked": queues.linked(found),
        "form": form or IncidentTextForm(),
    }
    status = 422 if form is not None else 200
    return render(request, "operator/incident.html", context, status=status)


@require_GET
@doors.page_for("operator.incidents")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One incident with its updates and a form for the next."""
    return _shown(request, _find(public_id))


@require_POST
@doors.page_for("operator.incidents")
def update(request: HttpRequest, public_id: str) -> HttpResponse:
    """What is known by now; with ``end`` it is over, and who asked about it is told."""
    found, form = _find(public_id), IncidentTextForm(request.POST)
    if form.is_valid():
        text = Text(form.cleaned_data["text_ko"], form.cleaned_data["text_en"])
        actor, now = doors.actor(request), timezone.now()
        try:
            if doors.word(request.POST, "end") == "1":
                actions.end(incident=found, text=text, by=actor, now=now)
                messages.success(request, _("It is over. Who asked about it is told."))
            else:
                actions.update(incident=found, text=text, by=actor, now=now)
        except texts.BadText as error:
            form.add_error(error.field, str(error))
        except actions.IncidentEnded as error:
            form.add_error(None, str(error))
        else:
            return redirect("incident", public_id=public_id)
    return _shown(request, found, form)
