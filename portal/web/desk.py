"""The operator's queue of requests, and one request with what the customer never sees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal.lib import spreadsheet
from portal.web import doors, states, talks
from portal.web.support import FILE_REFUSED, REFUSED
from portal.web.support_forms import GradeForm, LinkForm, RemarkForm, ReplyForm
from tenants import audit, customers, reasons, uploads, viewing
from tenants.models import Incident, SupportRequest
from tenants.support import attachments, consents, desk, queues, texts
from tenants.support.queues import Filters
from tenants.support.words import Grade

MOST_EXPORTED = 10_000


class FilterForm(forms.Form):
    """What stands in the address; a part that makes no sense is left out."""

    text = forms.CharField(
        label=gettext_lazy("Subject, organization or id"), required=False, max_length=80
    )
    show = forms.ChoiceField(label=gettext_lazy("State"), required=False)
    severity = forms.ChoiceField(
        label=pgettext_lazy("request", "Severity"),
        required=False,
        choices=[("", gettext_lazy("All")), *Grade.choices],
    )
    organization = forms.CharField(widget=forms.HiddenInput, required=False, max_length=24)
    overdue = forms.BooleanField(label=gettext_lazy("Only overdue"), required=False)
    mine = forms.BooleanField(label=gettext_lazy("Only mine"), required=False)

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.fields["show"].choices = [  # type: ignore[attr-defined]
            ("open", pgettext("requests", "Open")),
            *((name, state["text"]) for name, state in states.REQUEST.items()),
            ("all", _("All")),
        ]

    def filters(self) -> Filters:
        """As far as the form makes sense."""
        self.is_valid()
        return Filters(**{name: value for name, value in self.cleaned_data.items() if value})


def _find(request: HttpRequest, public_id: str) -> SupportRequest:
    return get_object_or_404(queues.of_staff(doors.actor(request)), public_id=public_id)


@require_GET
@doors.page_for("operator.support")
def index(request: HttpRequest) -> HttpResponse:
    """All customers' requests; those that are overdue stand first."""
    actor, now = doors.actor(request), timezone.now()
    audit.seen("customer.read", by=actor, now=now, subject=actor.organization.public_id)
    form = FilterForm(request.GET)
    filters = form.filters()
    page = doors.page_of(request, queues.queue(filters, by=actor, now=now))
    names = queues.names_of(one.assignee for one in page)
    words = filters.words()
    context = {
        "form": form,
        "page": page,
        "rows": [
            (one, states.REQUEST[one.state], names.get(one.assignee, ""), talks.due(one, now))
            for one in page
        ],
        "counts": queues.counts(by=actor, now=now),
        "chosen": filters,
        "customer": filters.organization
        and customers.search().filter(public_id=filters.organization).first(),
        "filtered": bool(words),
        "export": urlencode(words),
        "query": urlencode(words) + "&" if words else "",
    }
    return render(request, "operator/support.html", context)


HEAD = ["id", "organization", "name", "subject", "kind", "severity", "state", "assignee"]
HEAD += ["created", "due", "first answer", "overdue", "incident"]


@require_GET
@doors.page_for("operator.support")
def export(request: HttpRequest) -> HttpResponse:
    """What the filters show, as a table for spreadsheets; nothing of what was said."""
    actor, now = doors.actor(request), timezone.now()
    filters = FilterForm(request.GET).filters()
    changes = {"narrowed_by": sorted(filters.words())}
    subject = actor.organization.public_id
    audit.record("support.export", by=actor, now=now, subject=subject, changes=changes)
    rows = queues.queue(filters, by=actor, now=now)[:MOST_EXPORTED]
    text = "".join(spreadsheet.lines(HEAD, _cells(list(rows), now)))
    response = HttpResponse(text, content_type=spreadsheet.CONTENT_TYPE)
    name = f"support-{timezone.localdate(now)}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _cells(rows: list[SupportRequest], now: datetime) -> Iterator[list[object]]:
    names = queues.names_of(one.assignee for one in rows)
    for one in rows:
        yield [
            one.public_id,
            one.organization.public_id,
            one.organization.name,
            one.subject,
            one.kind,
            one.severity,
            one.state,
            names.get(one.assignee, ""),
            one.created_at.isoformat(),
            one.due_at.isoformat(),
            one.answered_at.isoformat() if one.answered_at else "",
            "yes" if one.is_overdue_at(now) else "",
            one.incident.public_id if one.incident else "",
        ]


def _shown(
    request: HttpRequest,
    found: SupportRequest,
    *,
    reply: ReplyForm | None = None,
    remark: RemarkForm | None = None,
) -> HttpResponse:
    actor, now = doors.actor(request), timezone.now()
    rows, names = talks.entries(found, staff=True)
    refused = (reply is not None and reply.errors) or (remark is not None and remark.errors)
    context = {
        "found": found,
        "state": states.REQUEST[found.state],
        "due": talks.due(found, now),
        "entries": rows,
        "requester": names.get(found.requester, ""),
        "assignee": names.get(found.assignee, ""),
        "mine": bool(actor.user) and found.assignee == actor.user.public_id,  # type: ignore[union-attr]
        "project": queues.project_of(found),
        "incidents": talks.incident_rows([found.incident] if found.incident else []),
        "consent": talks.consent(found, now),
        "working": found.state != "closed",
        "reply_form": reply or ReplyForm(auto_id="reply_%s"),
        "remark_form": remark or RemarkForm(auto_id="remark_%s"),
        "grade_form": GradeForm(auto_id="grade_%s", initial={"severity": found.severity}),
        "link_form": LinkForm(auto_id="link_%s", request=found),
    }
    status = 422 if refused else 200
    return render(request, "operator/support_request.html", context, status=status)


@require_GET
@doors.page_for("operator.support")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One request, with the remarks of colleagues. That it was read is an event."""
    actor, found = doors.actor(request), _find(request, public_id)
    audit.seen("customer.read", by=actor, now=timezone.now(), subject=found.organization.public_id)
    return _shown(request, found)


@require_POST
@doors.page_for("operator.support")
def answer(request: HttpRequest, public_id: str) -> HttpResponse:
    """Say it to the customer, and what follows from it."""
    found = _find(request, public_id)
    form = ReplyForm(request.POST, request.FILES, auto_id="reply_%s")
    if form.is_valid():
        reply = desk.Reply(**form.cleaned_data)
        try:
            desk.answer(request=found, reply=reply, by=doors.actor(request), now=timezone.now())
        except texts.BadText as error:
            form.add_error("text", str(error))
        except FILE_REFUSED as error:
            form.add_error("upload", str(error))
        except REFUSED as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Sent. The customer is told that there is an answer."))
            return redirect("desk_request", public_id=public_id)
    return _shown(request, found, reply=form)


@require_POST
@doors.page_for("operator.support")
def remark(request: HttpRequest, public_id: str) -> HttpResponse:
    """Tell colleagues."""
    found, form = _find(request, public_id), RemarkForm(request.POST, auto_id="remark_%s")
    if form.is_valid():
        try:
            desk.remark(
                request=found, by=doors.actor(request), now=timezone.now(), **form.cleaned_data
            )
        except texts.BadText as error:
            form.add_error("text", str(error))
        else:
            return redirect("desk_request", public_id=public_id)
    return _shown(request, found, remark=form)


@require_POST
@doors.page_for("operator.support")
def take(request: HttpRequest, public_id: str) -> HttpResponse:
    """Answer for it oneself, in place of whom the page showed."""
    found, instead_of = _find(request, public_id), doors.word(request.POST, "instead_of")[:24]
    try:
        desk.take(request=found, instead_of=instead_of, by=doors.actor(request), now=timezone.now())
    except (desk.TakenMeanwhile, *REFUSED) as error:
        messages.error(request, str(error))
    return redirect("desk_request", public_id=public_id)


@require_POST
@doors.page_for("operator.support")
def grade(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another severity, for a reason that the customer reads."""
    found, form = _find(request, public_id), GradeForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a severity and give the reason."))
        return redirect("desk_request", public_id=public_id)
    try:
        desk.grade(request=found, by=doors.actor(request), now=timezone.now(), **form.cleaned_data)
    except (desk.SameGrade, *REFUSED) as error:
        messages.error(request, str(error))
    return redirect("desk_request", public_id=public_id)


@require_POST
@doors.page_for("operator.support")
def link(request: HttpRequest, public_id: str) -> HttpResponse:
    """Say which incident it is about."""
    found, chosen = _find(request, public_id), doors.word(request.POST, "incident")
    incident = Incident.objects.filter(public_id=chosen).first()
    if chosen and incident is None:
        messages.error(request, _("There is no such incident."))
        return redirect("desk_request", public_id=public_id)
    try:
        desk.link(request=found, incident=incident, by=doors.actor(request), now=timezone.now())
    except REFUSED as error:
        messages.error(request, str(error))
    return redirect("desk_request", public_id=public_id)


@require_POST
@doors.page_for("operator.support")
def view(request: HttpRequest, public_id: str) -> HttpResponse:
    """Look at the customer's pages, as far as it has consented for this request."""
    found = _find(request, public_id)
    try:
        begun = consents.look(request=found, by=doors.actor(request), now=timezone.now())
    except (consents.NoConsent, viewing.OwnOrganization, reasons.BadReason) as error:
        messages.error(request, str(error))
        return redirect("desk_request", public_id=public_id)
    request.session[viewing.SESSION_VIEW] = begun.public_id
    return redirect("home")


@require_GET
@doors.page_for("operator.support")
def file(request: HttpRequest, public_id: str) -> HttpResponse:
    """A file of a request; the customer's log names the download."""
    actor = doors.actor(request)
    found = get_object_or_404(queues.files_of_staff(actor), public_id=public_id)
    attachments.note_download(found, by=actor, now=timezone.now())
    return uploads.response(found.file)
