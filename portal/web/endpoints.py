"""Endpoints: list, order, live status, stop. Logs: ``endpoint_logs``."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_GET, require_POST

from portal.deployments import (
    explaining,
    freed,
    order_words,
    queries,
    schedule_words,
    timetable,
)
from portal.deployments.actions import endpoints as actions
from portal.deployments.actions import freeing_orders, orders, rolling
from portal.deployments.models import (
    CapacityWatch,
    Endpoint,
    EndpointKind,
    Order,
    OrderKind,
    OrderState,
    Placement,
    PlacementState,
)
from portal.web import doors, endpoint_changes, freeing, names, rollouts, states

ORDERS_SHOWN = 10
NO_LONGER_WANTED = gettext_noop("No longer wanted; the site is stopping it.")
STEPS_SHOWN = 5  # of the number of replicas
STEP_TITLES = {
    "order": gettext_lazy("Order checked"),
    "placement": gettext_lazy("Site chosen"),
    "cards": gettext_lazy("Cards assigned"),
    "engine": gettext_lazy("Engine starts"),
    "connect": gettext_lazy("Connected"),
}


@require_GET
@doors.page_for("endpoints.read")
def index(request: HttpRequest) -> HttpResponse:
    """Own and shared endpoints; stopped ones with ``?stopped=1``."""
    rows = queries.endpoints(doors.actor(request))
    stopped = request.GET.get("stopped") == "1"
    page = doors.page_of(request, rows if stopped else rows.filter(stopped_at=None))
    shown = [
        (one, states.ENDPOINT[queries.status_of(one, one.placements.all()).code]) for one in page
    ]
    return render(
        request,
        "endpoints/index.html",
        {
            "rows": shown,
            "page": page,
            "stopped": stopped,
            "watches": CapacityWatch.objects.visible_to(doors.actor(request)).select_related(
                "model", "own_model", "project"
            ),
            "awaiting": Order.objects.visible_to(doors.actor(request))
            .filter(state=OrderState.AWAITING)
            .count(),
        },
    )


def _find(request: HttpRequest, public_id: str) -> Endpoint:
    rows = queries.endpoints(doors.actor(request)).select_related("schedule", "scaling")
    found: Endpoint = get_object_or_404(rows, public_id=public_id)
    return found


def _live(request: HttpRequest, endpoint: Endpoint, freeing_order: Order | None) -> dict[str, Any]:
    status = queries.status_of(endpoint, endpoint.placements.all())
    own = endpoint.organization_id == doors.actor(request).organization.pk
    going = freed.progress(freeing_order, endpoint.placements.all()) if freeing_order else None
    return {
        "endpoint": endpoint,
        "own": own,
        "state": states.ENDPOINT[status.code],
        "status": status,
        "settled": status.code in {"ready", "stopped", "paused"}
        and all(one.wanted for one in endpoint.placements.all())
        and not going
        and not (own and rolling.open_of(endpoint)),
        "steps": freeing.steps(going) if going else _steps(endpoint),
        "placements": [_replica(one) for one in endpoint.placements.all()],
        "moves": queries.moves_of(endpoint, limit=40) if own else [],
        "states_of": states.PLACEMENT,
        **(rollouts.of(endpoint) if own else {}),
        **(_sizing(endpoint) if own else {}),
    }


def _replica(one: Placement) -> tuple[Placement, states.State, str]:
    """With its state and the reason. A site that has not been told yet still reports what it was
    told before: that is not what becomes of the replica."""
    if one.wanted or one.state == PlacementState.STOPPING:
        return one, states.PLACEMENT[one.state], one.because
    return one, states.PLACEMENT[PlacementState.STOPPING], NO_LONGER_WANTED


def _steps(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"title": STEP_TITLES[name], "mark": mark, "note": ""}
        for name, mark in queries.steps_of(endpoint, timezone.now())
    ]


def _sizing(endpoint: Endpoint) -> dict[str, Any]:
    """Opening hours and the last changes of the number of replicas, where there are any."""
    schedule, scaling = getattr(endpoint, "schedule", None), getattr(endpoint, "scaling", None)
    if schedule is None and scaling is None:
        return {}
    steps = timetable.steps(endpoint)[:STEPS_SHOWN]
    return {
        "schedule": schedule,
        "by_hand": timetable.by_hand(schedule, endpoint) if schedule else "",
        "scale_steps": [(one, schedule_words.step(one)) for one in steps],
    }


@require_GET
@doors.page_for("endpoints.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Everything about one endpoint; its status renews itself until it is settled."""
    endpoint = _find(request, public_id)
    dedicated = endpoint.kind == EndpointKind.DEDICATED
    orders_of = queries.orders_of(endpoint, ORDERS_SHOWN) if dedicated else queries.NO_ORDERS
    context = _live(request, endpoint, orders_of.freeing) | {
        "order": orders_of.formed_by,
        "waiting_order": orders_of.waiting,
        "snippet": _snippet(endpoint),
    }
    if context["own"] and dedicated:
        context |= endpoint_changes.context(endpoint)
        chips = context["chip_names"]
        context["orders"] = [
            (one, order_words.sentence(one, chips.get(one.chip, ""))) for one in orders_of.newest
        ]
    return render(request, "endpoints/detail.html", context)


def _snippet(endpoint: Endpoint) -> str:
    """How to call it with the official client."""
    embedding = endpoint.model.kind == "embedding"
    call, asked = (
        ("embeddings", 'input=["안녕하세요"]')
        if embedding
        else ("chat.completions", 'messages=[{"role": "user", "content": "Hello"}]')
    )
    return (
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{settings.DURE_GATEWAY_URL}/v1", api_key="dure_live_…")\n'
        f"answer = client.{call}.create(\n"
        f'    model="{endpoint.name}",\n'
        f"    {asked},\n"
        ")"
    )


@require_GET
@doors.page_for("endpoints.read")
def status(request: HttpRequest, public_id: str) -> HttpResponse:
    """The live part alone."""
    endpoint = _find(request, public_id)
    context = _live(request, endpoint, queries.freeing_order_of(endpoint))
    answer = render(request, "endpoints/detail.html#status", context)
    if context["settled"]:  # its forms, orders and logs have something new to say as well
        answer["HX-Refresh"] = "true"
    return answer


@require_GET
@doors.page_for("endpoints.read")
def placement(request: HttpRequest, public_id: str) -> HttpResponse:
    """Why it runs where it runs: of the organization's own."""
    rows = queries.own_endpoints(doors.actor(request))
    endpoint = get_object_or_404(rows, public_id=public_id)
    found = explaining.explain(endpoint, now=timezone.now())
    return render(
        request,
        "endpoints/detail.html#placement",
        {"explained": found, "chip_names": names.chips()},
    )


@require_POST
@doors.page_for("endpoints.change")
def stop(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop for good, after the name was typed."""
    rows = queries.endpoint_rows(doors.actor(request))
    endpoint = get_object_or_404(rows, public_id=public_id)
    if request.POST.get("name", "").strip() != endpoint.name:
        messages.error(request, _("Nothing was stopped: the name typed is another one."))
        return redirect("endpoint", public_id)
    try:
        freeing_orders.ensure(
            kind=OrderKind.DELETE,
            endpoint=endpoint,
            idempotency_key=doors.word(request.POST, "idempotency_key")[:80],
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (actions.NotYours, orders.IdempotencyMismatch) as error:
        messages.error(request, str(error))
        return redirect("endpoint", public_id)
    messages.success(
        request, _("“%(name)s” is being stopped. Charging has ended.") % {"name": endpoint.name}
    )
    return redirect("endpoint", public_id)
