"""Orders that only free: a pause, and the end of an endpoint.

The deed is that of ``endpoints``; the order is its record, and lasts until all replicas have
stopped and their card time is in the ledger. It needs neither money nor signatures, and no
standing: who is held, overdue or suspended may always stop what costs money. No other system is
called, so the door's transaction is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from portal.deployments import freed, lasting, queries
from portal.deployments.actions import endpoints, freeing, orders
from portal.deployments.models import (
    FREEING,
    Endpoint,
    Order,
    OrderKind,
    OrderMove,
    OrderState,
    Placement,
)
from portal.deployments.requoting import Change, NothingChanges
from portal.deployments.states import move_order
from portal.lib import ids
from portal.lib.periods import Month
from tenants import rls
from tenants.actors import Actor

DEEDS: dict[str, Callable[..., None]] = {
    OrderKind.PAUSE: endpoints.pause_now,
    OrderKind.DELETE: endpoints.end,
}
PLACED = gettext_noop("Its replicas are told to stop.")
DONE = gettext_noop("All replicas have stopped, and their time is counted.")
OVERTAKEN = gettext_noop("It was resumed before all replicas had stopped.")


def place(
    *, kind: str, endpoint: Endpoint, idempotency_key: str, by: Actor, now: datetime
) -> Order:
    """Pause an endpoint or end it for good. The same key again gives the same order. The order's
    endpoint is as it is afterwards, with its living placements, unless the order was there.

    ``endpoints.NotYours``, ``NothingChanges`` if it is so already, ``orders.IdempotencyMismatch``.
    """
    by.require("endpoints.change")
    if endpoint.organization_id != by.organization.pk or endpoint.project_id is None:
        raise endpoints.NotYours
    digest = Change(kind).digest(endpoint)
    try:
        with transaction.atomic():
            return _place(kind, endpoint, idempotency_key, digest, by, now)
    except IntegrityError as error:  # the key was used for something else at the same moment
        first = orders.before(by, idempotency_key, digest)
        if first is None:  # in a project that the actor does not see
            raise orders.IdempotencyMismatch from error
        return first


def ensure(
    *, kind: str, endpoint: Endpoint, idempotency_key: str = "", by: Actor, now: datetime
) -> Order | None:
    """As ``place``; where it is so already the order that made it so. None where none did: opening
    hours, or the end of a shared endpoint of the operator's own, which nobody has ordered."""
    if endpoint.project_id is None:
        endpoints.stop(endpoint=endpoint, by=by, now=now)
        return None
    key = idempotency_key or ids.mint("idem")
    try:
        return place(kind=kind, endpoint=endpoint, idempotency_key=key, by=by, now=now)
    except NothingChanges:
        return behind(endpoint, kind)


def behind(endpoint: Endpoint, kind: str) -> Order | None:
    """The order by which the endpoint is paused, or was ended; with the endpoint as it is."""
    rows = Endpoint.objects.select_related("project", "model", "own_model")
    endpoint = rows.prefetch_related(queries.living(Placement.objects.all())).get(pk=endpoint.pk)
    since = endpoint.stopped_at if kind == OrderKind.DELETE else endpoint.paused_at
    return endpoint.orders.filter(kind=kind, placed_at=since).first() if since else None


def _place(kind: str, endpoint: Endpoint, key: str, digest: str, by: Actor, now: datetime) -> Order:
    """Under the endpoint's lock: of two at once the second finds the first one's order."""
    locked = endpoints.locked(endpoint.pk)
    if locked.stopped_at is not None or (kind == OrderKind.PAUSE and not locked.may_run):
        first = orders.before(by, key, digest)
        if first is not None:
            return first
        raise NothingChanges
    order = _row(kind, locked, key, digest, by, now)  # not a second one of the same key
    DEEDS[kind](locked, by=by, now=now, order=order.public_id)
    if not locked.placements.all():  # else they have still to stop
        _settle(order, locked, now)
    return order


def _row(kind: str, endpoint: Endpoint, key: str, digest: str, by: Actor, now: datetime) -> Order:
    """Nothing is left of cards and price afterwards; what it cost before stands beside."""
    form = freed.form_of(endpoint, lasting.Prices(endpoint, now))
    assert endpoint.project is not None  # shared endpoints are ended without an order
    order = Order.objects.create(
        public_id=ids.mint("ord"),
        organization=by.organization,
        project=endpoint.project,
        endpoint=endpoint,
        kind=kind,
        idempotency_key=key,
        request_digest=digest,
        name=endpoint.name,
        model=endpoint.model,
        own_model=endpoint.own_model,
        region="".join(form.revision.regions[:1]) if form.revision else "",
        replicas=0,
        apart=bool(form.revision and form.revision.apart),
        chip=form.chip,
        cards=0,
        price_version=form.price_version,
        won_per_card_hour=form.won_per_card_hour,
        won_per_hour=0,
        won_per_month=0,
        won_per_hour_before=form.won_per_hour,
        committed_micro=0,
        month=str(Month.of(now)),
        placed_at=now,
        placed_by=by.label,
    )
    OrderMove.objects.create(
        organization=by.organization,
        order=order,
        from_state="",
        to_state=OrderState.PLACED,
        because=PLACED,
        at=now,
    )
    return order


def overtaken(endpoint: Endpoint, now: datetime) -> None:
    """The endpoint, which the caller has locked, was resumed: no pause of it is under way."""
    for order in endpoint.orders.filter(kind=OrderKind.PAUSE, state=OrderState.PLACED):
        move_order(order, OrderState.CANCELLED, because=OVERTAKEN, now=now)


def sweep(*, now: datetime) -> int:
    """Orders whose replicas have all stopped and are counted, or that were overtaken; how many
    were moved. After the sweeps that free the money, so that it is free when an order is done."""
    with rls.everyone(because="sweep: pauses and ends of all organizations"):
        rows = Order.objects.filter(kind__in=FREEING, state=OrderState.PLACED)
        due = list(rows.order_by("pk").values_list("pk", "endpoint", "organization"))
    return sum(_look(*one, now) for one in due)


def _look(pk: int, endpoint_pk: int, organization: int, now: datetime) -> bool:
    """One order, under its endpoint's lock: no resume comes in between."""
    with rls.tenant(organization), transaction.atomic():
        endpoint = Endpoint.objects.select_for_update(of=["self"]).get(pk=endpoint_pk)
        order = Order.objects.get(pk=pk)
        return order.state == OrderState.PLACED and _settle(order, endpoint, now)


def _settle(order: Order, endpoint: Endpoint, now: datetime) -> bool:
    """Whether the order is over. ``endpoint`` is locked."""
    # Resumed, by hand or by its opening hours, it is not paused by this order, whatever came after.
    if order.kind == OrderKind.PAUSE and endpoint.paused_at != order.placed_at:
        return move_order(order, OrderState.CANCELLED, because=OVERTAKEN, now=now)
    if freeing.is_going(endpoint):
        return False
    return move_order(order, OrderState.FULFILLED, because=DONE, now=now)
