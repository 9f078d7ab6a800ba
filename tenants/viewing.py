"""Staff of the operator look at a customer's pages: for a reason, for a while, changing nothing.

Two walls: every request but reading ones is refused before its view runs, and what does run sees
PostgreSQL in read-only transactions, so that a page that writes by mistake fails. The customer is
told when it begins, and its log names every page that was opened.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.contrib import messages
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import SEOUL
from tenants import audit, notices, reasons, rls, roles
from tenants.actions import deeds
from tenants.actors import Actor
from tenants.models import Organization, StaffView, SupportConsent

SESSION_VIEW = "staff_view"
LONGEST = timedelta(minutes=30)
READING = {"GET", "HEAD", "OPTIONS"}
WAYS_OUT = {"view_end", "account_logout"}  # names of addresses


class OwnOrganization(Exception):
    def __str__(self) -> str:
        return _("This is the operator's own organization: you see it anyway.")


@transaction.atomic
def begin(
    *,
    organization: Organization,
    because: str,
    by: Actor,
    now: datetime,
    consent: SupportConsent | None = None,
) -> StaffView:
    """Half an hour of reading. One at a time: an earlier view of the same person ends.
    ``OwnOrganization``, ``BadReason``. The door puts its id into the session.

    With a live ``consent`` it is part of that request, and ends with the consent at the latest.
    """
    by.require("operator.view_as")
    if by.user is None or organization.is_operator:
        raise OwnOrganization
    because = reasons.normalized(because)
    StaffView.objects.filter(staff=by.user, ended_at=None).update(ended_at=now)
    view = StaffView.objects.create(
        public_id=ids.mint("view"),
        organization=organization,
        staff=by.user,
        staff_label=by.label,
        because=because,
        began_at=now,
        until=min(now + LONGEST, consent.until) if consent else now + LONGEST,
        request=consent.request.public_id if consent else "",
    )
    _record("operator.view_as", view, by, now, because)
    notices.tell(
        "staff.view",
        organization=organization,
        to=notices.holders(organization, "organization.change"),
        now=now,
        place="/audit/",
        by=by.label,
        until=f"{view.until.astimezone(SEOUL):%Y-%m-%d %H:%M}",
        because=because,
    )
    return view


@transaction.atomic
def end(*, view: StaffView, by: Actor, now: datetime) -> None:
    """End it before its time. Repeating it changes nothing."""
    if StaffView.objects.filter(pk=view.pk, staff=by.user, ended_at=None).update(ended_at=now):
        _record("operator.view_end", view, by, now, "")


def _record(verb: str, view: StaffView, by: Actor, now: datetime, because: str) -> None:
    organization = view.organization
    changes = {
        "view": view.public_id,
        "on_behalf": organization.public_id,
        "until": view.until.isoformat(),
    }
    deeds.record(verb, of=organization, by=by, now=now, because=because, changes=changes)


def through(request: HttpRequest, actor: Actor | None) -> Actor | None:
    """The actor as the session's view makes it: another organization's, and reading only.

    A view that is over, somebody else's or made up leaves the session; ``answer`` says so.
    """
    if actor is None or actor.user is None or actor.key is not None:
        return actor
    chosen = request.session.get(SESSION_VIEW)
    if chosen is None:
        return actor
    with rls.everyone(because="staff's view of a customer, found by the staff's own session"):
        view = (
            StaffView.objects.select_related("organization")
            .filter(public_id=str(chosen), staff=actor.user)
            .first()
        )
    if view is None or not view.is_live_at(timezone.now()) or not actor.can("operator.view_as"):
        del request.session[SESSION_VIEW]
        request.view_is_over = True  # type: ignore[attr-defined]
        return actor
    return Actor(
        organization=view.organization,
        verbs=roles.read_only(),
        kind="staff",
        label=actor.label,
        ref=actor.ref,
        user=actor.user,
        viewing=view,
        looker=actor,
    )


def concerns(request: HttpRequest) -> bool:
    """Whether the request is part of a view, or the first one after it."""
    actor: Actor | None = getattr(request, "actor", None)
    over = getattr(request, "view_is_over", False)
    return over or (actor is not None and actor.viewing is not None)


def answer(
    request: HttpRequest,
    view: Callable[..., HttpResponse],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> HttpResponse | None:
    """The request's answer inside a view. ``None`` lets the way out run as it is."""
    match = request.resolver_match
    if match is not None and match.url_name in WAYS_OUT:
        return None
    if getattr(request, "view_is_over", False):
        return _over(request)
    if request.method not in READING or request.path.startswith("/accounts/"):
        return refusal(request)
    _note_page(request)
    try:
        with rls.read_only(), _scope(request, view):
            response = view(request, *args, **kwargs)
            if callable(getattr(response, "render", None)):
                response = response.render()  # type: ignore[attr-defined]
    except DatabaseError as error:
        if isinstance(error.__cause__, psycopg.errors.ReadOnlySqlTransaction):
            return refusal(request)
        raise
    return response


def _scope(request: HttpRequest, view: Callable[..., Any]) -> AbstractContextManager[None]:
    from tenants import actors

    if getattr(view, "own_transactions", False):
        return nullcontext()
    return actors.scope_of(request) or nullcontext()


def _note_page(request: HttpRequest) -> None:
    """The customer's log names the page; written before it is read, in a transaction of its own."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    assert actor.viewing is not None
    with rls.everyone(because="the customer's log names what staff have read"):
        audit.record(
            "operator.view_page",
            by=actor,
            now=timezone.now(),
            subject=actor.viewing.public_id,
            changes={"path": request.path[:200], "on_behalf": actor.organization.public_id},
        )


def refusal(request: HttpRequest) -> HttpResponse:
    """403 with a sentence, in the form that the caller reads."""
    sentence = _("You look at another organization and can change nothing. Leave the view first.")
    return _told(request, sentence, "read_only_view")


def _over(request: HttpRequest) -> HttpResponse:
    """The first request after the end does nothing, so that no form lands elsewhere."""
    sentence = _("Your view of the other organization is over. You are back in your own.")
    if request.method not in READING or request.path.startswith("/api/"):
        return _told(request, sentence, "view_over")
    messages.warning(request, sentence)
    return redirect("home")


def _told(request: HttpRequest, sentence: str, title: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        body = {"type": "about:blank", "status": 403, "title": title, "detail": sentence}
        return JsonResponse(body, status=403, content_type="application/problem+json")
    return render(request, "operator/read_only.html", {"sentence": sentence}, status=403)


def finish(*, view: StaffView, by: Actor, now: datetime) -> None:
    """As ``end``, from inside the view: in a transaction that may write."""
    with rls.everyone(because="staff end their own view of a customer"):
        end(view=view, by=by.looker or by, now=now)
