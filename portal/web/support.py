"""A customer's requests to the operator: ask from any page, read, answer, close, consent."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.deployments.models import Endpoint
from portal.web import doors, states, support_forms, talks
from portal.web.support_forms import AnswerForm, NewForm
from tenants import reasons, uploads
from tenants.actors import Actor
from tenants.models import ApiKey, Project, SupportAttachment, SupportRequest
from tenants.support import attachments, consents, moves, queues, requests, texts

REFUSED = (
    moves.RequestClosed,
    moves.MovedMeanwhile,
    moves.NoSuchMove,
    requests.TooLong,
    reasons.BadReason,
)
FILE_REFUSED = (uploads.BadFile, attachments.TooManyFiles)


def _find(request: HttpRequest, public_id: str) -> SupportRequest:
    rows = SupportRequest.objects.visible_to(doors.actor(request))
    return get_object_or_404(rows.select_related("organization", "incident"), public_id=public_id)


@require_GET
@doors.page_for("organization.read")
def index(request: HttpRequest) -> HttpResponse:
    """One's own requests; with ``support.read`` those of the organization."""
    actor, now = doors.actor(request), timezone.now()
    text, show = doors.word(request.GET, "text")[:80], doors.word(request.GET, "show")
    show = show if show in queues.SHOWN else "open"
    page = doors.page_of(request, queues.own(actor, text=text, show=show))
    names = queues.names_of(one.requester for one in page)
    context = {
        "page": page,
        "rows": [
            (one, states.REQUEST[one.state], names.get(one.requester, ""), talks.due(one, now))
            for one in page
        ],
        "text": text,
        "show": show,
        "states": states.REQUEST,
        "filtered": bool(text) or show != "open",
        "query": urlencode({"text": text, "show": show}) + "&",
        "whole": actor.can("support.read"),
        "incidents": talks.incident_rows(queues.open_incidents()),
    }
    return render(request, "support/index.html", context)


def _context(request: HttpRequest) -> dict[str, str]:
    """Where the person was: only what makes sense, never an address elsewhere."""
    found = {}
    for name, parameter, clean in (
        ("path", "from", texts.local_path),
        ("request_id", "request_id", texts.request_id),
    ):
        try:
            found[name] = clean(doors.word(request.GET, parameter))
        except texts.BadText:
            found[name] = ""
    actor = doors.actor(request)
    project = doors.word(request.GET, "project")
    known = Project.objects.visible_to(actor).filter(public_id=project).exists()
    found["project"] = project if project and known else _project_of(found["path"], actor)
    return found


def _project_of(path: str, actor: Actor) -> str:
    """The project of the thing that a page is about, as far as the actor sees it."""
    try:
        match = resolve(path)
    except Resolver404:
        return ""
    public_id, name = match.kwargs.get("public_id", ""), match.url_name or ""
    models: dict[str, Any] = {"project": Project, "key": ApiKey, "endpoint": Endpoint}
    model = models.get(name.partition("_")[0])
    if model is None or not public_id:
        return ""
    row = model.objects.visible_to(actor).filter(public_id=public_id).first()
    if row is None:
        return ""
    return str(row.public_id if model is Project else row.project.public_id)


@require_http_methods(["GET", "POST"])
@doors.page_for("support.write")
def new(request: HttpRequest) -> HttpResponse:
    """Ask. The page that one comes from is named, and the id of its request."""
    actor = doors.actor(request)
    form = NewForm(
        request.POST or None, request.FILES or None, actor=actor, initial=_context(request)
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = requests.ask(
                wish=form.wish(),
                upload=form.cleaned_data["upload"],
                idempotency_key=form.cleaned_data["idempotency_key"],
                by=actor,
                now=timezone.now(),
            )
        except (texts.BadText, requests.Unknown) as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        except FILE_REFUSED as error:
            form.add_error("upload", str(error))
        except (requests.TooManyRequests, requests.KeyReused, consents.BadDays) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Sent. You are told when the operator answers."))
            return redirect("support_request", public_id=made.public_id)
    context = {
        "form": form,
        "path": form["path"].value() or "",
        "incidents": talks.incident_rows(queues.open_incidents()),
    }
    return render(request, "support/new.html", context, status=422 if form.errors else 200)


def _shown(
    request: HttpRequest, found: SupportRequest, form: AnswerForm | None = None, status: int = 200
) -> HttpResponse:
    actor, now = doors.actor(request), timezone.now()
    person = actor.user.public_id if actor.user else ""
    projects = Project.objects.visible_to(actor)
    project = projects.filter(public_id=found.project).first() if found.project else None
    rows, names = talks.entries(found, staff=False)
    linked = [found.incident] if found.incident else []
    context = {
        "found": found,
        "state": states.REQUEST[found.state],
        "due": talks.due(found, now),
        "entries": rows,
        "requester": names[found.requester],
        "project": project,
        "incidents": talks.incident_rows(linked),
        "writing": actor.can("support.write"),
        "answerable": found.takes_answers_at(now),
        "consent": talks.consent(found, now),
        "days": [(one, support_forms.days_of(one)) for one in support_forms.DAYS],
        "following": found.followers.filter(person=person).exists(),
        "form": form or AnswerForm(),
    }
    return render(request, "support/detail.html", context, status=status)


@require_GET
@doors.page_for("organization.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One request with everything that was said about it."""
    return _shown(request, _find(request, public_id))


@require_POST
@doors.page_for("support.write")
def answer(request: HttpRequest, public_id: str) -> HttpResponse:
    """Say more. What was typed stays on the page if it is refused."""
    found, form = _find(request, public_id), AnswerForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            requests.answer(
                request=found, by=doors.actor(request), now=timezone.now(), **form.cleaned_data
            )
        except texts.BadText as error:
            form.add_error("text", str(error))
        except FILE_REFUSED as error:
            form.add_error("upload", str(error))
        except REFUSED as error:
            form.add_error(None, str(error))
        else:
            return redirect("support_request", public_id=public_id)
    return _shown(request, found, form, status=422)


@require_POST
@doors.page_for("support.write")
def close(request: HttpRequest, public_id: str) -> HttpResponse:
    """It is not needed any more."""
    found, because = _find(request, public_id), doors.word(request.POST, "because")
    try:
        requests.close(request=found, because=because, by=doors.actor(request), now=timezone.now())
    except REFUSED as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Closed."))
    return redirect("support_request", public_id=public_id)


@require_POST
@doors.page_for("support.write")
def consent(request: HttpRequest, public_id: str) -> HttpResponse:
    """Let the operator's staff look at the pages, or take that back."""
    found, actor, now = _find(request, public_id), doors.actor(request), timezone.now()
    days = doors.word(request.POST, "days")
    if not days:
        consents.withdraw(request=found, by=actor, now=now)
        messages.success(request, _("Withdrawn. Whoever looked is out at the next request."))
        return redirect("support_request", public_id=public_id)
    try:
        number = int(days) if days.isdecimal() and len(days) < 4 else 0
        consents.give(request=found, days=number, by=actor, now=now)
    except (consents.BadDays, consents.NotOpen) as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, _("The operator's staff may look until then, and change nothing.")
        )
    return redirect("support_request", public_id=public_id)


@require_POST
@doors.page_for("support.write")
def follow(request: HttpRequest, public_id: str) -> HttpResponse:
    """Be told about it, or no more."""
    found, actor = _find(request, public_id), doors.actor(request)
    deed = requests.follow if doors.word(request.POST, "follow") == "1" else requests.unfollow
    deed(request=found, by=actor)
    return redirect("support_request", public_id=public_id)


@require_GET
@doors.page_for("support.write")
def file(request: HttpRequest, public_id: str) -> HttpResponse:
    """A file of a request that one sees. Each download is an event."""
    actor = doors.actor(request)
    rows = SupportAttachment.objects.visible_to(actor).select_related(
        "file", "request__organization"
    )
    found = get_object_or_404(rows, public_id=public_id)
    attachments.note_download(found, by=actor, now=timezone.now())
    return uploads.response(found.file)


@require_GET
@doors.page_for("organization.read")
def incidents(request: HttpRequest) -> HttpResponse:
    """What is known not to work, and what was."""
    page = doors.page_of(request, queues.incidents().prefetch_related("updates"))
    context = {"page": page, "rows": talks.incident_rows(page)}
    return render(request, "support/incidents.html", context)
