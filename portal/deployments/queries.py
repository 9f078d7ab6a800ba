"""What doors ask about endpoints. Every query begins with what the actor may see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import FilteredRelation, Prefetch, Q, QuerySet

from billing.models import Commitment
from portal.deployments.models import (
    FREEING,
    Endpoint,
    EndpointKind,
    Order,
    OrderQuerySet,
    OrderState,
    Placement,
    PlacementMove,
    PlacementQuerySet,
)
from portal.lib.periods import Month
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Status:
    """Derived, never stored. ``code`` is one of the keys of ``portal.web``'s status table:
    stopped, paused, funding_hold, operator_hold, asleep, failing, waiting, deploying, ready,
    degraded."""

    code: str
    ready: int
    wanted: int


def status_of(endpoint: Endpoint, placements: Iterable[Placement]) -> Status:
    """Count what is ready against what is wanted."""
    living = [one for one in placements if one.state != "stopped"]
    wanted = counted(living)
    ready = sum(one.state == "ready" for one in wanted)
    if endpoint.stopped_at is not None:
        code = "stopping" if living else "stopped"
    elif endpoint.paused_at is not None:
        code = "pausing" if living else "paused"
    elif endpoint.funding_hold:
        code = "funding_hold"
    elif endpoint.operator_hold:
        code = "operator_hold"
    elif endpoint.asleep_since is not None and not wanted:
        code = "asleep"
    elif wanted and ready == len(wanted):
        code = "ready"
    elif ready:
        code = "degraded"
    elif any(one.state == "failed" for one in wanted):
        code = "failing"
    elif any(one.state == "starting" for one in wanted):
        code = "deploying"
    else:
        code = "waiting"
    return Status(code, ready, len(wanted))


def counted(living: list[Placement]) -> list[Placement]:
    """Those that are wanted. While a replica moves to another site, it is one: the old until the
    new one took over."""
    wanted = [one for one in living if one.wanted and one.leaving_at is None]
    staying = {one.public_id for one in wanted}
    return [one for one in wanted if one.instead_of not in staying]


def endpoint_rows(actor: Actor) -> QuerySet[Endpoint]:
    """Own and shared endpoints alone, newest first: for an action that loads what it needs."""
    return Endpoint.objects.visible_to(actor).select_related("model", "own_model", "project")


def endpoints(actor: Actor) -> QuerySet[Endpoint]:
    """Own and shared endpoints with their living placements, newest first."""
    return endpoint_rows(actor).prefetch_related(living(Placement.objects.visible_to(actor)))


def living(placements: PlacementQuerySet) -> Prefetch[str]:
    """Of endpoints: those of ``placements`` that have not stopped, with all that is shown."""
    found = placements.living().select_related("site__region", "offering__chip")
    return Prefetch("placements", queryset=found)


def own_endpoints(actor: Actor) -> QuerySet[Endpoint]:
    """Only the organization's own, dedicated endpoints."""
    return endpoints(actor).filter(organization=actor.organization, kind=EndpointKind.DEDICATED)


def own_rows(actor: Actor) -> QuerySet[Endpoint]:
    """The same alone."""
    rows = endpoint_rows(actor)
    return rows.filter(organization=actor.organization, kind=EndpointKind.DEDICATED)


def moves_of(endpoint: Endpoint, *, since: int = 0, limit: int = 200) -> list[PlacementMove]:
    """What happened to the endpoint's replicas, oldest first, with numbers above ``since``."""
    rows = (
        PlacementMove.objects.filter(placement__endpoint=endpoint, pk__gt=since)
        .select_related("placement__site")
        .order_by("-at", "-pk")[:limit]
    )
    return list(rows)[::-1]


@dataclass(frozen=True, slots=True)
class Orders:
    """Of one endpoint. ``formed_by``: behind what it is now; ``waiting``: to be signed first;
    ``freeing``: a pause or an end whose replicas have not all stopped, or are not counted yet."""

    newest: list[Order]
    formed_by: Order | None
    waiting: Order | None
    freeing: Order | None


NO_ORDERS = Orders([], None, None, None)


def orders_of(endpoint: Endpoint, limit: int) -> Orders:
    """In one query; the newest ``limit`` of them, the newest first."""
    newest = Q(pk__in=_newest(endpoint.orders.all())[:limit].values("pk"))
    formed = Q(pk__in=_newest(endpoint.orders.forming())[:1].values("pk"))
    open_ones = Q(state__in=[OrderState.AWAITING, OrderState.PLACED])
    rows = list(_newest(endpoint.orders.filter(newest | formed | open_ones)))
    states = OrderState
    return Orders(
        newest=rows[:limit],
        formed_by=_first(
            one for one in rows if one.state == states.FULFILLED and one.kind not in FREEING
        ),
        waiting=_first(one for one in rows if one.state == states.AWAITING),
        freeing=_first(one for one in rows if one.state == states.PLACED and one.kind in FREEING),
    )


def _newest(rows: OrderQuerySet) -> OrderQuerySet:
    return rows.order_by("-placed_at", "-pk")


def _first(rows: Iterator[Order]) -> Order | None:
    return next(rows, None)


def freeing_order_of(endpoint: Endpoint) -> Order | None:
    """As ``Orders.freeing``, alone."""
    rows = endpoint.orders.filter(kind__in=FREEING, state=OrderState.PLACED)
    return _newest(rows).first()


def set_aside_micro(endpoint: Endpoint, month: Month) -> int:
    """Of its orders together, in micro-won."""
    rows = Commitment.objects.filter(endpoint=endpoint.public_id, month=str(month))
    return sum(rows.values_list("amount_micro", flat=True))


def steps_of(endpoint: Endpoint, now: datetime) -> list[tuple[str, str]]:
    """Five steps of a deployment with their state: done, current, bad or waiting."""
    placements = [one for one in endpoint.placements.all() if one.wanted]
    states = {one.state for one in placements}
    placed = bool(placements)
    assigned = bool(states & {"starting", "ready", "failed"})
    started = bool(states) and states <= {"ready"}
    bad = "failed" in states
    return [
        ("order", "done"),
        ("placement", "done" if placed else "current"),
        ("cards", "done" if assigned else ("current" if placed else "waiting")),
        ("engine", _engine_mark(started=started, bad=bad, assigned=assigned)),
        ("connect", "done" if started else "waiting"),
    ]


def _engine_mark(*, started: bool, bad: bool, assigned: bool) -> str:
    if started:
        return "done"
    if bad:
        return "bad"
    return "current" if assigned else "waiting"


def offering_classes() -> dict[int, str]:
    """Shared endpoint → the chip that all its wanted replicas have. One with several has none:
    a price must be known before a target is chosen."""
    chips: dict[int, set[str]] = {}
    rows = Placement.objects.filter(wanted=True, endpoint__kind=EndpointKind.SHARED)
    for endpoint, chip in rows.values_list("endpoint", "offering__chip__code"):
        chips.setdefault(endpoint, set()).add(chip)
    return {endpoint: next(iter(found)) for endpoint, found in chips.items() if len(found) == 1}


def classes_by_model() -> dict[str, str]:
    """Model → class of its shared endpoint, where it has one; of several, the oldest."""
    running = Endpoint.objects.running().filter(kind=EndpointKind.SHARED).order_by("-pk")
    chips: dict[tuple[str, int], set[str]] = {}
    wanted = FilteredRelation("placements", condition=Q(placements__wanted=True))
    rows = running.annotate(now=wanted).values_list(
        "model__slug", "pk", "now__offering__chip__code"
    )
    for slug, pk, chip in rows:
        chips.setdefault((slug, pk), set()).update({chip} - {None})
    return {slug: next(iter(of)) if len(of) == 1 else "" for (slug, _pk), of in chips.items()}


def class_of(model: str) -> str:
    """The class of the shared endpoint of a model; empty without one."""
    return classes_by_model().get(model, "")
