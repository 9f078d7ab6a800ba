"""Changing an endpoint that is there: see the price, another size or form, pause, resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from billing import budgets
from billing.approvals import words
from billing.approvals.people import Members
from billing.fiscal.refusals import Refusal
from portal.catalog.models import Chip, Region
from portal.deployments import freed, queries, quoting, requoting, revising, why_words
from portal.deployments.actions import changes, freeing_orders, orders, waiting_orders
from portal.deployments.models import (
    FREEING,
    Endpoint,
    OrderKind,
    OrderState,
    Revision,
    Strategy,
)
from portal.deployments.requoting import Change
from portal.lib import ids
from portal.lib.periods import Month
from portal.web import doors, names, rollouts
from tenants import actors, rls, standing

FIELD_TITLES = {
    "replicas": gettext_lazy("Replicas"),
    "least": gettext_lazy("Fewest replicas"),
    "chip": gettext_lazy("Chip"),
    "sdk": gettext_lazy("SDK"),
    "version": gettext_lazy("Version"),
    "region": gettext_lazy("Region"),
    "apart": gettext_lazy("Each replica at a site of its own"),
}
REFUSALS = (
    changes.NotNow,
    changes.NoStrategy,
    requoting.NothingChanges,
    quoting.NoRoom,
    quoting.NotForSale,
    quoting.BadReplicas,
    orders.TooManyEndpoints,
    orders.IdempotencyMismatch,
    standing.OrderingClosed,
    budgets.BudgetExceeded,
    budgets.CountersUnavailable,
    Refusal,
)
DONE = {
    OrderKind.RESIZE: gettext_lazy("Ordered. Replicas come and go as the page shows."),
    OrderKind.RESUME: gettext_lazy("Ordered. The steps below show how it comes up again."),
    OrderKind.MOVE: gettext_lazy("Ordered. Replicas are replaced as the page shows."),
}
KINDS = (OrderKind.RESIZE, OrderKind.RESUME, OrderKind.MOVE)
REVISIONS_SHOWN = 20


def own(request: HttpRequest, public_id: str) -> Endpoint:
    """One of the organization's own; 404 for others."""
    rows = queries.own_rows(doors.actor(request))
    found: Endpoint = get_object_or_404(rows, public_id=public_id)
    return found


def context(endpoint: Endpoint) -> dict[str, Any]:
    """What the endpoint's page needs for its forms and revisions. ``chip_names``: code → name."""
    rows = endpoint.revisions.select_related("offering__chip", "offering__version")
    revisions = list(rows.order_by("-number")[:REVISIONS_SHOWN])
    newest = revisions[0] if revisions else None
    regions = list(Region.objects.filter(sites__isnull=False).distinct())
    chips = list(Chip.objects.filter(cards__isnull=False).distinct())
    had = [one.offering.chip for one in revisions if one.offering]
    chip_names = {one.code: one.title for one in [*chips, *had]}
    names_of = {"chip": chip_names, "region": {one.code: one.title for one in regions}}
    return {
        "form_now": newest,
        "region_now": "".join(newest.regions[:1]) if newest else "",
        "revisions": [
            (
                one,
                [_named(row, names_of) for row in changed],
                _way(one, revisions[0]),
            )
            for one, changed in revising.history(revisions)
        ],
        "regions": regions,
        "strategies": rollouts.STRATEGIES.items(),
        "chips": chips,
        "chip_names": chip_names,
        "idempotency_key": ids.mint("idem"),
        "set_aside": queries.set_aside_micro(endpoint, Month.of(timezone.now())),
    }


def _named(row: revising.Difference, names_of: Mapping[str, dict[str, str]]) -> dict[str, Any]:
    """One field that a revision changed, with names for its codes."""
    known = names_of.get(row.field, {})

    def shown(words: str) -> str:
        if row.field == "region" and not words:
            return _("Any that the project allows")
        return ", ".join(known.get(code, code) for code in words.split(", "))

    return {
        "title": FIELD_TITLES[row.field],
        "before": shown(row.before),
        "after": shown(row.after),
    }


def _way(to: Revision, newest: Revision) -> str:
    """The kind of change that leads back to an earlier form; empty where it is the same."""
    fields = {one.field for one in revising.differences(newest, to)}
    if fields - {"replicas", "least"}:
        return OrderKind.MOVE
    return OrderKind.RESIZE if "replicas" in fields else ""


def _change(request: HttpRequest) -> Change:
    source = request.POST if request.method == "POST" else request.GET
    kind = doors.word(source, "kind")
    words = doors.word(source, "replicas")
    replicas = int(words) if words.isascii() and words.isdigit() and len(words) < 6 else -1
    strategy = doors.word(source, "strategy")[:16] or Strategy.ROLLING
    if kind != OrderKind.MOVE:
        return Change(kind if kind in KINDS else OrderKind.RESIZE, replicas, strategy=strategy)
    region, chip = doors.word(source, "region")[:24], doors.word(source, "chip")[:24]
    return Change(kind, replicas, region, chip, bool(doors.word(source, "apart")), strategy)


@require_GET
@doors.page_for("endpoints.change")
def estimate(request: HttpRequest, public_id: str) -> HttpResponse:
    """The price of a change, beside that of now; or why it cannot be had."""
    endpoint, actor = own(request, public_id), doors.actor(request)
    kind = doors.word(request.GET, "kind")
    if kind in FREEING:
        found_free = freed.of(endpoint, kind, timezone.now())
        return render(request, "endpoints/freed.html", {"freed": found_free})
    shown: dict[str, Any] = {}
    try:
        found, project = changes.price(
            change=_change(request), endpoint=endpoint, by=actor, now=timezone.now()
        )
        shown["found"] = found
        shown["chip_names"], shown["site_names"] = names.chips_and_sites(found.priced.choice.sites)
        if changes.must_be_signed(endpoint, found, project):
            steps = waiting_orders.steps_for(project, found.priced.won_per_month)
            people = Members(actor.organization, now=timezone.now()).names()
            shown["signs"] = words.steps(steps, people)
    except quoting.NoRoom as error:
        shown |= {
            "refused": str(error),
            "why_not": why_words.reasons(error.rejected),
            "advice": why_words.advice(error.fixes),
            "chip_names": names.chips(),
        }
    except REFUSALS as error:
        shown["refused"] = str(error)
    return render(request, "endpoints/changes.html#estimate", shown)


@rls.own_transactions
@require_POST
@doors.page_for("endpoints.change")
def change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Order a change. The action opens its own transactions."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        endpoint = own(request, public_id)
    wished = _change(request)
    try:
        order = changes.place(
            change=wished,
            endpoint=endpoint,
            idempotency_key=doors.word(request.POST, "idempotency_key")[:80] or ids.mint("idem"),
            by=actor,
            now=timezone.now(),
        )
    except REFUSALS as error:
        messages.error(request, str(error))
        return redirect("endpoint", public_id)
    if order.state != OrderState.AWAITING:
        messages.success(request, DONE[OrderKind(order.kind)])
        return redirect("endpoint", public_id)
    with actors.scope_for(actor):
        waiting = waiting_orders.request_of(order, actor)
    messages.success(request, _("It has to be signed first. Nothing changes meanwhile."))
    return redirect("approval", waiting.public_id) if waiting else redirect("endpoint", public_id)


@require_POST
@doors.page_for("endpoints.change")
def pause(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop all replicas; name and address stay."""
    endpoint = own(request, public_id)
    try:
        freeing_orders.ensure(
            kind=OrderKind.PAUSE,
            endpoint=endpoint,
            idempotency_key=doors.word(request.POST, "idempotency_key")[:80],
            by=doors.actor(request),
            now=timezone.now(),
        )
    except orders.IdempotencyMismatch as error:
        messages.error(request, str(error))
        return redirect("endpoint", public_id)
    messages.success(
        request, _("“%(name)s” is being paused. Charging has ended.") % {"name": endpoint.name}
    )
    return redirect("endpoint", public_id)
