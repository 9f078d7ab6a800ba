"""API keys: list, make (shown once), look at, try, change, rotate, revoke."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing import budgets
from billing import keys as capped
from portal.catalog.models import CatalogModel
from portal.lib.periods import seoul_date
from portal.routing import revoking, trial
from portal.usage import queries as usage
from portal.web import doors, states
from portal.web.key_forms import ChangeKeyForm, NewKeyForm, RotateForm, TrialForm
from tenants import actors, rls
from tenants.actions import keys as actions
from tenants.actors import Actor
from tenants.models import ApiKey
from tenants.scopes import Scope

RECENT = timedelta(days=30)
SOON = timedelta(days=14)
UNUSED = timedelta(days=90)
FILTERS = ("all", "live", "expiring", "unused", "ended")


def _find(request: HttpRequest, public_id: str) -> ApiKey:
    rows = ApiKey.objects.visible_to(doors.actor(request)).select_related("project", "made_by")
    return get_object_or_404(rows, public_id=public_id)


def _filtered(actor: Actor, chosen: str, text: str, now: datetime) -> QuerySet[ApiKey]:
    rows = ApiKey.objects.visible_to(actor).select_related("project")
    live = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    if chosen == "live":
        rows = rows.filter(live)
    elif chosen == "expiring":
        rows = rows.filter(live, expires_at__lte=now + SOON)
    elif chosen == "unused":
        idle = Q(used_at=None) | Q(used_at__lte=now - UNUSED)
        rows = rows.filter(live, idle, created_at__lte=now - UNUSED)
    elif chosen == "ended":
        rows = rows.exclude(live)
    if text:
        rows = rows.filter(Q(name__icontains=text) | Q(public_part__icontains=text))
    return rows


@require_GET
@doors.page_for("keys.read")
def index(request: HttpRequest) -> HttpResponse:
    """Keys with their state and last use; those that end soon or are not used."""
    actor, now = doors.actor(request), timezone.now()
    chosen, text = doors.word(request.GET, "show"), doors.word(request.GET, "text")[:60]
    chosen = chosen if chosen in FILTERS else "all"
    page = doors.page_of(request, _filtered(actor, chosen, text, now))
    used = usage.requests_of_keys(actor, [key.public_id for key in page], now - RECENT)
    rows = [(key, states.KEY[key.state_at(now)], used.get(key.public_id, 0)) for key in page]
    context = {"rows": rows, "page": page, "show": chosen, "text": text, "soon": now + SOON}
    return render(request, "keys/index.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@doors.page_for("keys.change")
def new(request: HttpRequest) -> HttpResponse:
    """A form, then the secret, once."""
    actor, now = doors.actor(request), timezone.now()
    form = NewKeyForm(request.POST or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = capped.create(
                project=form.cleaned_data["project"],
                wish=form.wish(now),
                limit_won=form.cleaned_data["limit_won"],
                by=actor,
                now=now,
            )
        except (actions.WiderThanMaker, actions.NoScope) as error:
            form.add_error("scopes", str(error))
        except budgets.LimitOutOfRange as error:
            form.add_error("limit_won", str(error))
        except (actions.ProjectArchived, actions.TooManyKeys) as error:
            form.add_error(None, str(error))
        else:
            return _made(request, key, secret)
    return render(request, "keys/new.html", {"form": form}, status=422 if form.errors else 200)


def _made(request: HttpRequest, key: ApiKey, secret: str) -> HttpResponse:
    return render(request, "keys/made.html", {"key": key, "secret": secret})


@require_GET
@doors.page_for("keys.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """What one key may do, what it used, and what may be done with it."""
    actor, now = doors.actor(request), timezone.now()
    key = _find(request, public_id)
    budget = capped.budget_of(key, by=actor)
    context: dict[str, Any] = {
        "key": key,
        "state": states.KEY[key.state_at(now)],
        "live": key.state_at(now) == "live",
        "scopes": [Scope(scope).label for scope in key.scopes if scope in Scope.values],
        "used": usage.requests_of_keys(actor, [public_id], now - RECENT).get(public_id, 0),
        "recent": seoul_date(now - RECENT).isoformat(),
        "budget": budget,
        "standing": budget and budgets.standing(budget, actor.organization, now=now),
        "replacement": ApiKey.objects.visible_to(actor).filter(replaces=key.public_id).first(),
        "models": CatalogModel.objects.orderable().values_list("slug", flat=True),
        "rotate_form": RotateForm(),
    }
    return render(request, "keys/detail.html", context | _revocation(actor, key))


def _revocation(actor: Actor, key: ApiKey) -> dict[str, Any]:
    ended = key.revoked_at is not None
    return {"refused": revoking.is_refused(key, actor.organization) if ended else None}


@rls.own_transactions
@require_GET
@doors.page_for("keys.read")
def revocation(request: HttpRequest, public_id: str) -> HttpResponse:
    """Whether the gateway refuses a revoked key by now; asked again until it does."""
    with actors.scope_for(doors.actor(request)):
        key = _find(request, public_id)
    context = {"key": key, **_revocation(doors.actor(request), key)}
    return render(request, "keys/detail.html#revocation", context)


@rls.own_transactions
@require_POST
@doors.page_for("keys.read")
def test(request: HttpRequest, public_id: str) -> HttpResponse:
    """The answer that the key would get now. A deed, because it counts in the minute's limit."""
    actor, form = doors.actor(request), TrialForm(request.POST)
    with actors.scope_for(actor):
        key = _find(request, public_id)
    outcome = None
    if form.is_valid():
        outcome = trial.of(
            key=key,
            organization=actor.organization,
            model=form.cleaned_data["model"],
            address=form.cleaned_data["address"],
        )
    context = {"key": key, "form": form, "outcome": outcome}
    status = 422 if form.errors else 200
    return render(request, "keys/detail.html#outcome", context, status=status)


@require_http_methods(["GET", "POST"])
@doors.page_for("keys.change")
def change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Other limits for a live key."""
    actor, key = doors.actor(request), _find(request, public_id)
    form = ChangeKeyForm(request.POST or None, actor=actor, initial=ChangeKeyForm.initial_of(key))
    if request.method == "POST" and form.is_valid():
        wish = replace(actions.wish_of(key), **form.limits())
        try:
            actions.change(key=key, wish=wish, by=actor, now=timezone.now())
        except (actions.WiderThanMaker, actions.NoScope) as error:
            form.add_error("scopes", str(error))
        except (actions.KeyEnded, actions.ExpiryPassed) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The key is changed. The gateway knows within a second."))
            return redirect("key", public_id=public_id)
    context = {"form": form, "key": key}
    return render(request, "keys/change.html", context, status=422 if form.errors else 200)


@never_cache
@require_POST
@doors.page_for("keys.change")
def rotate(request: HttpRequest, public_id: str) -> HttpResponse:
    """A new secret for the same work; the old one goes on for a while."""
    actor, key, form = doors.actor(request), _find(request, public_id), RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose when the old key ends."))
        return redirect("key", public_id=public_id)
    overlap = timedelta(seconds=int(form.cleaned_data["overlap"]))
    try:
        made, secret = revoking.rotate(key=key, overlap=overlap, by=actor, now=timezone.now())
    except (actions.KeyEnded, actions.WiderThanMaker, actions.TooManyKeys) as error:
        messages.error(request, str(error))
        return redirect("key", public_id=public_id)
    return _made(request, made, secret)


@require_POST
@doors.page_for("keys.change")
def revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    """End a key; its page shows when the gateway refuses it."""
    key = _find(request, public_id)
    revoking.revoke(key=key, by=doors.actor(request), now=timezone.now())
    messages.success(request, _("Key “%(name)s” is revoked.") % {"name": key.name})
    return redirect("key", public_id=public_id)
