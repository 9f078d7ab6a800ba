"""The audit log: filters, one event, exports, how long it is kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    QueryDict,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from portal.web import doors
from portal.web.digits import WholeField
from tenants import actors, audit, audit_groups, audit_log, audit_words, rls
from tenants.audit_files import attachment, text_of
from tenants.audit_log import Filters
from tenants.models import AuditEvent, EventGroup

DATE = forms.DateInput(attrs={"type": "date"})


class FilterForm(forms.Form):
    """What stands in the address; a part that makes no sense is left out with a word about it."""

    group = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        required=False,
        choices=[("", gettext_lazy("All")), *EventGroup.choices],
    )
    actor = forms.CharField(label=gettext_lazy("Who"), required=False, max_length=60)
    verb = forms.ChoiceField(label=gettext_lazy("What"), required=False)
    subject = forms.CharField(label=gettext_lazy("To what"), required=False, max_length=120)
    since = forms.DateField(label=gettext_lazy("First day"), required=False, widget=DATE)
    until = forms.DateField(label=gettext_lazy("Last day"), required=False, widget=DATE)

    def __init__(self, asked: QueryDict) -> None:
        super().__init__(asked)
        verb = doors.word(asked, "verb")[:60]
        field = self.fields["verb"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All")), *audit_words.choices(verb)]

    def filters(self) -> Filters:
        """As far as the form makes sense."""
        self.is_valid()
        found = {name: value for name, value in self.cleaned_data.items() if value}
        return Filters(**found)


class RetentionForm(forms.Form):
    access_months = WholeField(
        label=gettext_lazy("Access, months"),
        help_text=gettext_lazy("Who signed in and looked at what. By law 24 at least."),
    )
    rights_months = WholeField(
        label=gettext_lazy("Rights, months"),
        help_text=gettext_lazy("Who could do what: members, roles, keys. By law 36 at least."),
    )
    other_months = WholeField(
        label=gettext_lazy("Other deeds, months"), help_text=gettext_lazy("12 at least.")
    )


def _address(filters: Filters, **more: str) -> str:
    return urlencode(filters.words() | more)


@require_GET
@doors.page_for("audit.read")
def index(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first."""
    actor, now = doors.actor(request), timezone.now()
    form = FilterForm(request.GET)
    filters = form.filters()
    try:
        page = audit_log.page(actor, filters, doors.word(request.GET, "cursor"))
    except audit_log.BadCursor:
        return HttpResponseBadRequest(_("This page of the log does not exist."))
    audit.seen("audit.read", by=actor, now=now, subject=actor.organization.public_id)
    context = {
        "form": form,
        "page": page,
        "filtered": bool(filters.words()),
        "older": _address(filters, cursor=page.older) if page.older else "",
        "query": _address(filters),
        "chain": audit_log.chain_of(actor),
    }
    return render(request, "audit/index.html", context)


@require_GET
@doors.page_for("audit.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One event with everything that is known of it."""
    actor = doors.actor(request)
    event = get_object_or_404(AuditEvent.objects.visible_to(actor), public_id=public_id)
    audit.seen("audit.read", by=actor, now=timezone.now(), subject=actor.organization.public_id)
    context = {
        "event": event,
        "names": audit_log.names_of(actor, [event]),
        "changes": [_change(name, value) for name, value in event.changes.items()],
    }
    return render(request, "audit/detail.html", context)


def _change(name: str, value: Any) -> tuple[str, str, str]:
    """(field, before, after); what has no before is a fact of the event."""
    if isinstance(value, dict) and set(value) == {"from", "to"}:
        return name, text_of(value["from"]), text_of(value["to"])
    return name, "", text_of(value)


@rls.own_transactions
@require_GET
@doors.page_for("audit.export")
def export(request: HttpRequest) -> HttpResponseBase:
    """Everything that fits, as CSV or as lines of JSON. An export is itself an event."""
    actor, now = doors.actor(request), timezone.now()
    kind = "jsonl" if request.GET.get("format") == "jsonl" else "csv"
    filters = FilterForm(request.GET).filters()
    with actors.scope_for(actor):
        audit_log.note_export(filters, kind, by=actor, now=now)
    words = audit_log.export(actor, filters)
    return attachment(words, kind, f"audit-{timezone.localdate(now)}")


@require_http_methods(["GET", "POST"])
@doors.page_for("audit.change")
def retention(request: HttpRequest) -> HttpResponse:
    """For how long it is kept."""
    actor = doors.actor(request)
    kept = audit_log.retention_of(actor)
    initial = {name: getattr(kept, name) for name in RetentionForm.base_fields}
    form = RetentionForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            audit_log.change_retention(by=actor, now=timezone.now(), **form.cleaned_data)
        except audit_log.MonthsOutOfRange as error:
            form.add_error(f"{error.group}_months", str(error))
        else:
            messages.success(request, _("Saved. What is older is removed within a day."))
            return redirect("audit")
    context = {"form": form, "least": audit_groups.LEAST_MONTHS}
    return render(request, "audit/retention.html", context, status=422 if form.errors else 200)
