"""Jobs: a list, a new one by upload, one with its progress and files."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.jobs import batches, downloads, files, words
from portal.jobs.models import OPEN, Job, JobFile
from portal.jobs.refusals import Refusal
from portal.jobs.storage import FileLost
from portal.web import doors
from portal.web.job_forms import NewJobForm, keys_of
from portal.web.states import JOB
from tenants import actors, rls
from tenants.actors import Actor
from tenants.standing import OrderingClosed


def _jobs(actor: Actor) -> QuerySet[Job]:
    rows = Job.objects.visible_to(actor)
    return rows.select_related("project", "key", "input_file", "output_file", "error_file")


def _gauge(job: Job) -> dict[str, Any]:
    ended = job.done + job.failed
    total = max(job.total, 1)
    return {
        "used": 100 * job.done // total,
        "held": 100 * job.failed // total,
        "label": _("%(ended)d of %(total)d lines") % {"ended": ended, "total": job.total},
    }


@require_GET
@doors.page_for("jobs.read")
def index(request: HttpRequest) -> HttpResponse:
    """Newest first; and the files that are kept."""
    actor = doors.actor(request)
    page = doors.page_of(request, _jobs(actor))
    kept = JobFile.objects.visible_to(actor).there().select_related("project")
    context = {
        "page": page,
        "rows": [(one, JOB[one.state], _gauge(one)) for one in page],
        "files": kept[: doors.PAGE_SIZE],
        "days": settings.DURE_JOBS_FILE_DAYS,
    }
    return render(request, "jobs/index.html", context)


@rls.own_transactions
@require_http_methods(["GET", "POST"])
@doors.page_for("jobs.create")
def new(request: HttpRequest) -> HttpResponse:
    """Upload a file and run it."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        keys = keys_of(actor)
    form = NewJobForm(request.POST or None, request.FILES or None, keys=keys)
    if request.method == "POST" and form.is_valid():
        job = _created(form, actor)
        if job is not None:
            messages.success(request, _("Uploaded. Its lines are being priced."))
            return redirect("job", public_id=job.public_id)
    context = {"form": form, "keys": keys, "days": settings.DURE_JOBS_FILE_DAYS}
    with actors.scope_for(actor):
        return render(request, "jobs/new.html", context, status=422 if form.errors else 200)


def _created(form: NewJobForm, actor: Actor) -> Job | None:
    """``None`` if it was refused: then the form says why."""
    sent, key, now = form.cleaned_data["file"], form.chosen(), timezone.now()
    try:
        row = files.upload(
            sent.chunks(), name=sent.name or "", project=key.project, by=actor, now=now
        )
        try:
            once = form.cleaned_data["idempotency_key"]
            wish = batches.Wish(input_file=row, key=key, idempotency_key=once)
            return batches.create(wish=wish, by=actor, now=now)
        except (Refusal, OrderingClosed):
            files.delete(row=row, by=actor, now=now)
            raise
    except Refusal as refusal:
        form.add_error("file" if refusal.param == "file" else None, str(refusal))
        for fault in refusal.faults[1:]:
            told = _("Line %(line)d: %(what)s") % {"line": fault.line, "what": fault.message}
            form.add_error("file", told)
    except OrderingClosed as closed:
        form.add_error(None, str(closed))
    return None


def _shown(job: Job) -> dict[str, Any]:
    return {
        "job": job,
        "state": JOB[job.state],
        "states_of": JOB,
        "open": job.state in OPEN,
        "gauge": _gauge(job),
        "moves": list(job.moves.all()),
        "waits": words.WAITS.get(job.waits_because, "") if job.state == "in_progress" else "",
        "can_cancel": job.state in ("validating", "in_progress"),
    }


@require_GET
@doors.page_for("jobs.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One job: how far it is, what it costs, its files."""
    job = get_object_or_404(_jobs(doors.actor(request)), public_id=public_id)
    return render(request, "jobs/detail.html", _shown(job))


@require_GET
@doors.page_for("jobs.read")
def progress(request: HttpRequest, public_id: str) -> HttpResponse:
    """The part that changes; the page asks for it while the job is open."""
    job = get_object_or_404(_jobs(doors.actor(request)), public_id=public_id)
    answer = render(request, "jobs/detail.html#progress", _shown(job))
    if job.state not in OPEN:
        answer["HX-Refresh"] = "true"  # its files are there now
    return answer


@rls.own_transactions
@require_POST
@doors.page_for("jobs.create")
def cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """Begin nothing more of it."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        job = get_object_or_404(_jobs(actor), public_id=public_id)
    try:
        batches.cancel(job=job, by=actor, now=timezone.now())
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("job", public_id=public_id)


def _file(actor: Actor, public_id: str) -> JobFile:
    with actors.scope_for(actor):
        return get_object_or_404(JobFile.objects.visible_to(actor).there(), public_id=public_id)


@rls.own_transactions
@require_GET
@doors.page_for("jobs.create")
def file(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Download a file."""
    actor = doors.actor(request)
    try:
        return downloads.attachment(_file(actor, public_id), actor, now=timezone.now())
    except FileLost:
        raise Http404 from None


@rls.own_transactions
@require_POST
@doors.page_for("jobs.create")
def delete_file(request: HttpRequest, public_id: str) -> HttpResponse:
    """Delete its content at once."""
    actor = doors.actor(request)
    row = _file(actor, public_id)
    try:
        files.delete(row=row, by=actor, now=timezone.now())
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("“%(name)s” is deleted.") % {"name": row.name})
    return redirect("jobs")
