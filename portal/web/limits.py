"""Limits: what holds for a key now, what is used of it, and which rule would refuse next."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from billing.models import BudgetPeriod
from portal.admission import chain
from portal.admission.limits import KeyUse, Rule
from portal.catalog.models import Region
from portal.fleet.models import Site
from portal.routing import limits as routing
from portal.routing.limits import BudgetLine, Count, Limits
from portal.web import charts, doors, states
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import ApiKey, DataClass
from tenants.roles import Role


def _keys(actor: Actor) -> QuerySet[ApiKey]:
    return ApiKey.objects.visible_to(actor).select_related("project")


def _listed(actor: Actor, text: str, now: datetime) -> QuerySet[ApiKey]:
    rows = _keys(actor).filter(
        Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None, project__archived_at=None
    )
    if text:
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(public_part__icontains=text)
            | Q(project__name__icontains=text)
        )
    return rows.order_by("-pk")


def _query(**words: str) -> str:
    """As part of an address; what is empty is left out."""
    return urlencode({name: word for name, word in words.items() if word})


@rls.own_transactions
@require_GET
@doors.page_for("keys.read")
def index(request: HttpRequest) -> HttpResponse:
    """One key, and the others to choose from: ``?key=key_…&text=erp&page=2``."""
    actor, now = doors.actor(request), timezone.now()
    text, asked = doors.word(request.GET, "text")[:60], doors.word(request.GET, "key")
    with actors.scope_for(actor):
        page = doors.page_of(request, _listed(actor, text, now))
        rows = list(page)
        chosen = (
            get_object_or_404(_keys(actor), public_id=asked) if asked else next(iter(rows), None)
        )
    reading = routing.look(actor.organization, rows, whole=chosen)
    uses = reading.keys if reading else {}
    with actors.scope_for(actor):
        context: dict[str, Any] = {
            "page": page,
            "rows": [(key, uses.get(key.sha256, KeyUse())) for key in rows],
            "words": text,
            "more": _query(text=text, page=str(page.number) if page.number > 1 else ""),
            "pages": f"{_query(key=asked, text=text)}&" if asked or text else "",
        }
        if chosen is not None:
            context |= _shown(routing.of(chosen, reading, now=now), actor)
        return render(request, "limits/index.html", context)


@rls.own_transactions
@require_GET
@doors.page_for("keys.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """The part of the page that renews itself."""
    actor, now = doors.actor(request), timezone.now()
    with actors.scope_for(actor):
        key = get_object_or_404(_keys(actor), public_id=public_id)
    reading = routing.look(actor.organization, [], whole=key)
    with actors.scope_for(actor):
        context = _shown(routing.of(key, reading, now=now), actor)
        return render(request, "limits/index.html#now", context)


def _shown(found: Limits, actor: Actor) -> dict[str, Any]:
    key, use = found.key, found.use
    grant = use.grant if use else None
    titles = {one.code: one.title for one in Site.objects.all()}
    lines = routing.budget_lines(found, actor)
    names = _names(key, lines)
    return {
        "key": key,
        "found": found,
        "state": states.LIMITS[found.state],
        "settled": found.state in {"revoked", "expired", "ended"},
        "counts": _counts(found),
        "budgets": [_budget(line, names) for line in lines],
        "month": found.reading.month if found.reading else "",
        "refusal": _sentence(found.refusal, names) if found.refusal else "",
        "nearest": _nearest(found.nearest, names) if found.nearest else None,
        "models": routing.callable_names(use),
        "sites": [titles.get(code, code) for code in grant.sites] if grant else [],
        "grant": grant,
        "data_class": DataClass(key.project.data_class).label,
        "region": Region.objects.filter(code=actor.organization.region).first(),
        "raise_keys": _roles("keys.change"),
        "raise_budgets": _roles("budgets.change"),
    }


def _roles(verb: str) -> str:
    return ", ".join(str(Role(role).label) for role in routing.raised_by(verb))


def _names(key: ApiKey, lines: list[BudgetLine]) -> dict[str, str]:
    known = {key.public_id: key.name, key.project.public_id: key.project.name}
    names = {one.name: known.get(one.subject, str(_("Whole organization"))) for one in lines}
    periods = {one.name: str(BudgetPeriod(one.period).label) for one in lines}
    return {
        name: title if chain.kind_of(name) == "month" else f"{title} · {periods[name]}"
        for name, title in names.items()
    }


def _counts(found: Limits) -> list[dict[str, Any]]:
    """Requests, tokens and open requests: used, limit, and when a window begins anew."""
    requests, tokens, opened = found.counts
    anew = found.minute_ends_at
    return [
        _count(_("Requests this minute"), requests, anew),
        _count(_("Tokens this minute"), tokens, anew),
        _count(_("Open now"), opened, None),
    ]


def _count(title: str, count: Count, anew: datetime | None) -> dict[str, Any]:
    known = count.used is not None and count.limit
    gauge = charts.share(count.used or 0, count.limit or 1) if known else None
    return {"title": title, "count": count, "anew": anew, "gauge": gauge}


def _budget(line: BudgetLine, names: dict[str, str]) -> dict[str, Any]:
    shown = line.spent is not None and line.limit
    return {
        "line": line,
        "title": names[line.name],
        "gauge": charts.amounts(
            line.limit or Decimal(0),
            (line.spent or Decimal(0)) + (line.committed or Decimal(0)),
            line.held or Decimal(0),
        )
        if shown
        else None,
    }


def _sentence(rule: Rule, names: dict[str, str]) -> str:
    """Why the next request is refused, and what to do."""
    name = names.get(rule.subject, rule.subject)
    words = {
        "closed": _("The counters are being checked; it takes a few seconds."),
        "unpublished": _("The gateway does not know the key yet; it takes about a second."),
        "revoked": _("The gateway refuses the key: it, its project or the organization has ended."),
        "expired": _("The key has expired."),
        "scope": _("The key may not call models: it lacks this permission."),
        "unconfirmed": _("The organization is not confirmed yet; test keys work meanwhile."),
        "models": _("No model that the key may call runs now."),
        "sites": _("No site is left that key, regions and data class allow together."),
        "rate": _("The requests of this minute are used up."),
        "tokens": _("The tokens of this minute are used up."),
        "concurrency": _("As many requests are open as may be."),
        "budget_unknown": _("The budget “%(name)s” has not been published yet."),
        "budget": _("The budget “%(name)s” is used up."),
    }
    return words[rule.kind] % {"name": name}


def _nearest(rule: Rule, names: dict[str, str]) -> dict[str, Any]:
    words = {
        "rate": _("Requests per minute"),
        "tokens": _("Tokens per minute"),
        "concurrency": _("Requests at the same time"),
        "budget": _("Budget “%(name)s”") % {"name": names.get(rule.subject, rule.subject)},
    }
    return {"title": words[rule.kind], "share": Decimal(rule.used) / Decimal(rule.limit)}
