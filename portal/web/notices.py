"""The inbox of a person, its bell, and how they want to be told. All of it without an organization
too: what concerns a person's account is theirs."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.web import doors, states
from portal.web.context import organizations_of
from portal.web.notice_forms import NoticeForm
from tenants import inbox, preferences
from tenants.actors import SESSION_ORGANIZATION, Actor
from tenants.models import Notice, User
from tenants.notice_kinds import Severity


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the door asked for a session
    return request.user


def _find(request: HttpRequest, public_id: str) -> Notice:
    return get_object_or_404(inbox.of(_person(request)), public_id=public_id)


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """What the person is told, newest first, in all their organizations."""
    chosen = {
        "unread": "1" if doors.word(request.GET, "unread") == "1" else "",
        "severity": doors.word(request.GET, "severity"),
        "organization": doors.word(request.GET, "organization"),
    }
    if chosen["severity"] not in Severity.values:
        chosen["severity"] = ""
    rows = inbox.filtered(
        inbox.of(_person(request)),
        unread=bool(chosen["unread"]),
        severity=chosen["severity"],
        organization=chosen["organization"],
    )
    page = doors.page_of(request, rows)
    used = {name: value for name, value in chosen.items() if value}
    context = {
        "page": page,
        "rows": [
            (one, states.SEVERITY[one.known.severity if one.known else "info"]) for one in page
        ],
        "chosen": chosen,
        "filtered": bool(used),
        "severities": Severity.choices,
        "query": f"{urlencode(used)}&" if used else "",
    }
    return render(request, "notices/index.html", context)


@never_cache
@require_GET
def bell(request: HttpRequest) -> HttpResponse:
    """The bell, asked for each minute by open pages. Nothing for those whose session is over."""
    if not request.user.is_authenticated:
        return HttpResponse(status=204)
    return render(request, "notices/bell.html")


@require_POST
@login_required
def open_notice(request: HttpRequest, public_id: str) -> HttpResponse:
    """Read it and go where it leads, in the organization that it speaks of."""
    notice = _find(request, public_id)
    inbox.mark_read(notice, now=timezone.now())
    if not url_has_allowed_host_and_scheme(notice.place, allowed_hosts=None):
        return redirect("notices")
    mine = {one.organization_id: one.organization for one in organizations_of(request)}
    if notice.organization_id in mine:
        request.session[SESSION_ORGANIZATION] = mine[notice.organization_id].public_id
    return redirect(notice.place)


@require_POST
@login_required
def read(request: HttpRequest, public_id: str) -> HttpResponse:
    """Mark one as read."""
    inbox.mark_read(_find(request, public_id), now=timezone.now())
    return redirect("notices")


@require_POST
@login_required
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark all as read that are there now."""
    count = inbox.mark_all_read(_person(request), now=timezone.now())
    said = ngettext(
        "%(count)d notice is marked as read.", "%(count)d notices are marked as read.", count
    )
    messages.success(request, said % {"count": count})
    return redirect("notices")


@require_http_methods(["GET", "POST"])
@login_required
def settings(request: HttpRequest) -> HttpResponse:
    """By which way and when the person is told."""
    person = _person(request)
    actor: Actor | None = getattr(request, "actor", None)
    form = NoticeForm(request.POST or None, actor=actor, chosen=preferences.of(person))
    if request.method == "POST" and form.is_valid():
        try:
            preferences.change(user=person, wish=form.wish())
        except preferences.BadPreference as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, _("Your choices are kept. They hold from the next notice on.")
            )
            return redirect("notice_settings")
    status = 422 if form.errors else 200
    return render(request, "notices/settings.html", {"form": form}, status=status)
