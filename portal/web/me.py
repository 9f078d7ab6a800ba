"""One's own data: what is kept, a copy of it, the end of the account."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.web.doors import View
from tenants import origins, retention, safety
from tenants.actions import accounts, exports
from tenants.actors import unmet_of
from tenants.models import PersonalExport, User


def own_page(view: View) -> View:
    """A page about oneself, also for people without an organization. A rule of sign-in that is
    not met stands before it as before every other page."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return redirect("unmet") if unmet_of(request) else view(request, *args, **kwargs)

    return never_cache(login_required(guarded))


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _unconfirmed(request: HttpRequest, back: str) -> HttpResponse | None:
    """Where to prove who one is first; ``None`` if that was lately."""
    user = _user(request)
    if safety.confirmed_lately(request, user):
        return None
    if not safety.can_confirm(user):
        messages.warning(
            request, _("Sign out and in again, then ask within five minutes: it proves it is you.")
        )
        return redirect("me")
    return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}")


@require_GET
@own_page
def index(request: HttpRequest) -> HttpResponse:
    """What is kept about the person and for how long; copies; the end of the account."""
    user, now = _user(request), timezone.now()
    rows = PersonalExport.objects.filter(user=user).defer("content")
    context = {
        "exports": [(one, one.state_at(now)) for one in rows],
        "deletion": accounts.pending(user),
        "rules": retention.RULES,
        "now": now,
    }
    return render(request, "personal/index.html", context)


@require_POST
@own_page
def export(request: HttpRequest) -> HttpResponse:
    """Have a copy made."""
    try:
        exports.ask(user=_user(request), now=timezone.now(), origin=origins.of(request))
    except exports.AskedLately as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The copy is being made. It stands here within minutes."))
    return redirect("me")


@require_GET
@own_page
def fetch(request: HttpRequest, public_id: str) -> HttpResponse:
    """The copy, for the person alone, freshly confirmed."""
    if not exports.there_is(user=_user(request), public_id=public_id, now=timezone.now()):
        raise Http404
    if (asked := _unconfirmed(request, request.path)) is not None:
        return asked
    content = exports.fetch(
        user=_user(request),
        public_id=public_id,
        now=timezone.now(),
        origin=origins.of(request),
    )
    if content is None:
        raise Http404
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = (
        content_disposition_header(True, f"dure-{public_id}.zip") or "attachment"
    )
    return response


@require_http_methods(["GET", "POST"])
@own_page
def delete(request: HttpRequest) -> HttpResponse:
    """What ends with the account and what stays; then, freshly signed in, the wish itself."""
    user, now = _user(request), timezone.now()
    if (asked := _unconfirmed(request, reverse("me_delete"))) is not None:
        return asked
    refused = ""
    if request.method == "POST":
        try:
            accounts.ask_deletion(user=user, now=now, origin=origins.of(request))
        except accounts.LastOwnerOf as error:
            refused = str(error)
        else:
            messages.success(
                request, _("Your account ends in 14 days. Until then you can undo it.")
            )
            return redirect("me")
    context = {
        "alone": [one for one in accounts.owned_alone(user) if one.closes_at is None],
        "keys": accounts.keys_of(user, now),
        "memberships": accounts.memberships_of(user),
        "due_at": now + accounts.GRACE,
        "refused": refused,
    }
    return render(request, "personal/delete.html", context, status=409 if refused else 200)


@require_POST
@own_page
def keep(request: HttpRequest) -> HttpResponse:
    """Undo the end of the account."""
    if accounts.undo_deletion(user=_user(request), now=timezone.now(), origin=origins.of(request)):
        messages.success(request, _("Your account stays."))
    return redirect("me")


@require_GET
def ai_notice(request: HttpRequest) -> HttpResponse:
    """That answers come from AI, and what that means for whoever passes them on."""
    return render(request, "personal/ai_notice.html")
