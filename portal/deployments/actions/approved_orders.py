"""An order that all have signed: placed at the approved price, or not at all."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError

from billing import budgets
from billing.approvals.kinds import CannotBeDone, Deed, Now, TermsChanged
from billing.fiscal.refusals import Refusal
from billing.models import ApprovalRequest, Commitment
from portal.deployments import quoting, requoting, runnable
from portal.deployments.actions import changes, fulfilling, orders, waiting_orders
from portal.deployments.models import Order, OrderKind, OrderState
from portal.deployments.quoting import Quote, Wish
from portal.deployments.requoting import Change
from portal.deployments.states import move_order
from tenants import actors, standing
from tenants.actors import Actor

REFUSALS = (
    quoting.NoRoom,
    quoting.NotForSale,
    quoting.BadReplicas,
    orders.TooManyEndpoints,
    orders.NameTaken,
    changes.NotNow,
    changes.NoStrategy,
    requoting.NothingChanges,
    standing.OrderingClosed,
    budgets.BudgetExceeded,
    budgets.CountersUnavailable,
    Refusal,  # of a public institution's budget line
)


def _find(request: ApprovalRequest) -> Order:
    rows = Order.objects.filter(organization=request.organization, public_id=request.subject)
    return rows.select_related(
        "organization",
        "project__organization",
        "model",
        "own_model",
        "endpoint__model",
        "endpoint__project",
    ).get()


def _wish(order: Order) -> Wish:
    return Wish(
        order.name,
        runnable.of(order).name,
        order.region,
        order.replicas,
        order.wished_chip,
        order.apart,
    )


def _quote(order: Order, now: datetime) -> Quote:
    """``CannotBeDone`` where it cannot be had now."""
    try:
        if order.kind != OrderKind.CREATE:
            return _quote_change(order, now)
        return quoting.quote(wish=_wish(order), project=order.project, now=now)
    except REFUSALS as error:
        raise CannotBeDone(str(error)) from error


def _quote_change(order: Order, now: datetime) -> Quote:
    assert order.endpoint is not None  # of every change
    system = actors.system(order.organization, order.public_id)
    changes.check(order.endpoint, _change(order), system, but=order.public_id)
    return changes.quote(_change(order), order.endpoint, now).priced


def _change(order: Order) -> Change:
    if order.kind != OrderKind.MOVE:
        return Change(order.kind, order.replicas)
    return Change(
        order.kind,
        order.replicas,
        order.region,
        order.wished_chip,
        order.apart,
        strategy=order.strategy,
    )


def _terms(order: Order, priced: Quote) -> dict[str, Any]:
    """What would be approved at this price."""
    order.chip, order.cards = priced.chip, priced.cards
    order.won_per_card_hour = priced.won_per_card_hour
    order.won_per_hour, order.won_per_month = priced.won_per_hour, priced.won_per_month
    return waiting_orders.terms_of(order)


def terms_now(request: ApprovalRequest, now: datetime) -> Now:
    """The same wish at the price of now. ``CannotBeDone``."""
    order = _find(request)
    priced = _quote(order, now)
    return Now(_terms(order, priced), priced.won_per_month)


def sets_aside(request: ApprovalRequest, now: datetime) -> int:
    """What the rest of the month would set aside, in micro-won; 0 where no site has room."""
    try:
        return _quote(_find(request), now).rest_of_month_micro
    except CannotBeDone:
        return 0


def done(request: ApprovalRequest) -> str:
    """The endpoint, if the order was carried out."""
    order = _find(request)
    waits = order.state in {OrderState.AWAITING, OrderState.CANCELLED}
    return order.endpoint.public_id if order.endpoint and not waits else ""


def ended(request: ApprovalRequest, now: datetime) -> None:
    """Refused, withdrawn or expired: the order is cancelled."""
    waiting_orders.cancel(_find(request), now)


def carry_out(request: ApprovalRequest, by: Actor, now: datetime) -> str:
    """Hold the money and place the order; the endpoint's public id. ``CannotBeDone``.

    By the system in the name of the request: who signed last may not order themselves.
    """
    system = actors.system(request.organization, request.public_id)
    approved = _approved(request, system)
    with actors.scope_for(system):
        order = _find(request)
        priced = _quote(order, now)
    try:
        order = orders.keep(
            order.public_id,
            priced,
            order.project,
            system,
            lambda: _write(request, approved, system, now),
        )
    except REFUSALS as error:
        raise CannotBeDone(str(error)) from error
    except IntegrityError as error:
        raise CannotBeDone(str(orders.NameTaken())) from error
    assert order.endpoint is not None  # _write has made it
    return order.endpoint.public_id


def _approved(request: ApprovalRequest, system: Actor) -> dict[str, Any]:
    with actors.scope_for(system):
        terms: dict[str, Any] = request.terms.get(round=request.round).terms
        return terms


def _write(
    request: ApprovalRequest, approved: dict[str, Any], by: Actor, now: datetime
) -> tuple[Order, Commitment | None]:
    """As ``orders.place`` writes, into the order that waited, at the approved price only."""
    Order.objects.select_for_update().get(
        organization=request.organization, public_id=request.subject
    )
    order = _find(request)
    if order.state != OrderState.AWAITING:
        raise TermsChanged  # somebody else has just placed or cancelled it
    if order.kind != OrderKind.CREATE:
        return _write_change(order, approved, by, now)
    wish = _wish(order)
    orders.check(by, wish)
    priced, sites = quoting.quote_locked(wish, order.project, now)
    _settle(order, priced, approved, now)
    return order, fulfilling.fulfil(order, priced, sites, by, now)


def _write_change(
    order: Order, approved: dict[str, Any], by: Actor, now: datetime
) -> tuple[Order, Commitment | None]:
    assert order.endpoint is not None  # of every change
    found, sites = changes.quote_locked(
        order.endpoint, _change(order), by, now, but=order.public_id
    )
    _settle(order, found.priced, approved, now)
    return order, changes.fulfil(order, found, sites, by, now)


def _settle(order: Order, priced: Quote, approved: dict[str, Any], now: datetime) -> None:
    """The order as it is placed; ``TermsChanged`` if it is not what was approved."""
    if _terms(order, priced) != approved:
        raise TermsChanged
    order.price_version = priced.price_version
    order.committed_micro = priced.rest_of_month_micro
    order.month = str(priced.month)
    order.save()
    move_order(order, OrderState.PLACED, because="Approved, within the budget.", now=now)


DEED = Deed(terms_now=terms_now, carry_out=carry_out, done=done, ended=ended, sets_aside=sets_aside)
