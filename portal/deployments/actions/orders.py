"""Ordering a dedicated endpoint: priced beforehand, once, within the budget, or not at all.

The worst case of the running month is held in Valkey before the rows are written, and becomes
committed after they are kept. A crash in between leaves a hold that the sweep
(``commitments.repair``) takes back. Valkey is never called inside a transaction, so the door
must not open one around this action (``rls.own_transactions``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError
from django.utils.translation import gettext as _

from billing import budgets, holding
from billing.models import Commitment
from portal.catalog.models import CatalogModel
from portal.deployments import quoting, runnable
from portal.deployments.actions import fulfilling, waiting_orders
from portal.deployments.models import (
    Endpoint,
    Order,
    OrderKind,
    OrderMove,
    OrderState,
    Strategy,
)
from portal.deployments.quoting import Quote, Wish
from portal.deployments.runnable import Runnable
from portal.lib import ids
from tenants import actors, names, quotas, standing
from tenants.actors import Actor
from tenants.models import ModelAlias, Project


class NameTaken(Exception):
    def __str__(self) -> str:
        return _("Another endpoint has this name. Choose a different one.")


class NameIsAlias(NameTaken):
    """The endpoint would take the name away from whom a project calls by it."""

    def __str__(self) -> str:
        return _("A project calls a model by this name. Choose a different one.")


class IdempotencyMismatch(Exception):
    def __str__(self) -> str:
        return _("This Idempotency-Key was used for another order. Send a new key.")


class HasToBeSigned(Exception):
    """Price or rules have changed since they were looked at: nothing was placed."""

    def __init__(self, priced: Quote) -> None:
        super().__init__()
        self.priced = priced


class TooManyEndpoints(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("The organization may have %(most)d endpoints. Stop one first.") % {
            "most": self.most
        }


def place(*, wish: Wish, project: Project, idempotency_key: str, by: Actor, now: datetime) -> Order:
    """Order an endpoint. The same key again gives the same order; nothing is ordered twice.

    Where the organization's rules ask for approval the order waits (state ``awaiting``): it has
    its price, and holds neither money nor cards until all have signed.

    ``quoting.NoRoom``, ``NameTaken``, ``BadReplicas``, ``TooManyEndpoints``,
    ``standing.OrderingClosed``, ``budgets.BudgetExceeded``, ``IdempotencyMismatch``, and of a
    budget line ``fiscal.LineRefuses``, ``NoLine``.
    """
    by.require("orders.create")
    wish = _normal(wish)
    wished = Wished(ids.mint("ord"), wish, project, idempotency_key, by, now)
    try:
        with actors.scope_for(by):
            first = before(by, idempotency_key, wish.digest())
            if first is not None:
                return first
            check(by, wish)
            priced = quoting.quote(wish=wish, project=project, now=now)
            if waiting_orders.steps_for(project, priced.won_per_month):
                return wait(wished, priced)
        return keep(wished.reference, priced, project, by, lambda: _write(wished))
    except HasToBeSigned as error:
        with actors.scope_for(by):
            return wait(wished, error.priced)
    except budgets.BudgetExceeded as error:
        return twin(by, idempotency_key, wish.digest(), error)
    except IntegrityError as error:
        return twin(by, idempotency_key, wish.digest(), NameTaken(), error)


def check(by: Actor, wish: Wish) -> None:
    """Whether the organization may order this now, whatever it costs."""
    standing.require_ordering(by.organization)
    _refuse_name(by, wish.name)
    refuse_too_many(by)


def keep(
    reference: str,
    priced: Quote,
    project: Project,
    by: Actor,
    write: Callable[[], tuple[Order, Commitment | None]],
) -> Order:
    """Hold the money, write the rows, make the hold a commitment. Opens its own transactions;
    whatever goes wrong, nothing is held afterwards. ``budgets.BudgetExceeded``."""
    if not priced.rest_of_month_micro:  # it costs no more than what is set aside already
        with actors.scope_for(by):
            return write()[0]
    with actors.scope_for(by):
        subjects = budgets.subjects_of(by.organization, project)
    with (
        holding.held(
            organization=by.organization,
            subjects=subjects,
            reference=reference,
            month=priced.month,
            amount_micro=priced.rest_of_month_micro,
        ),
        actors.scope_for(by),
    ):
        order, commitment = write()
    if commitment is not None:
        budgets.tell(commitment, by.organization, subjects)
    return order


def _normal(wish: Wish) -> Wish:
    return replace(wish, name=names.normalized(wish.name, longest=60))


def before(by: Actor, idempotency_key: str, digest: str) -> Order | None:
    """The order that this key has made already. ``IdempotencyMismatch`` if of another wish. A key
    is the organization's: also if in a project that the actor does not see."""
    rows = Order.objects.filter(organization=by.organization, idempotency_key=idempotency_key)
    found = rows.select_related("endpoint", "project").first()
    if found is not None and (found.request_digest != digest or not by.sees(found.project)):
        raise IdempotencyMismatch
    return found


def twin(
    by: Actor, idempotency_key: str, digest: str, refusal: Exception, cause: Exception | None = None
) -> Order:
    """Two equal requests at once: the second gets the first one's order, else its refusal."""
    with actors.scope_for(by):
        found = before(by, idempotency_key, digest)
    if found is None:
        raise refusal from cause
    return found


def _refuse_name(by: Actor, name: str) -> None:
    taken = Endpoint.objects.filter(organization=by.organization, name=name, stopped_at=None)
    if taken.exists() or CatalogModel.objects.filter(slug=name).exists():
        raise NameTaken
    if ModelAlias.objects.filter(organization=by.organization, name__iexact=name).exists():
        raise NameIsAlias


def refuse_too_many(by: Actor) -> None:
    """A paused endpoint keeps its name and does not count. ``TooManyEndpoints``."""
    most = quotas.most(by.organization, "endpoints")
    own = Endpoint.objects.filter(organization=by.organization, stopped_at=None, paused_at=None)
    if own.count() >= most:
        raise TooManyEndpoints(most)


@dataclass(frozen=True, slots=True)
class Wished:
    """A wish on its way to becoming an order; of a change with the endpoint and its own digest."""

    reference: str
    wish: Wish
    project: Project
    idempotency_key: str
    by: Actor
    now: datetime
    kind: str = OrderKind.CREATE
    endpoint: Endpoint | None = None
    digest: str = ""
    won_per_hour_before: int = 0
    strategy: str = Strategy.ROLLING

    @property
    def runs(self) -> Runnable | None:
        """What the endpoint of a change runs already, whatever can be ordered now."""
        return runnable.of(self.endpoint) if self.endpoint else None


def row(wished: Wished, priced: Quote, state: str) -> Order:
    """The order with its price. What is set aside is known once it is placed."""
    wish, by = wished.wish, wished.by
    placed = state == OrderState.PLACED
    named = wished.runs or runnable.find(wish.model, by.organization.pk)
    if named is None:  # an own model that was withdrawn meanwhile
        raise quoting.NotForSale
    order = Order.objects.create(
        public_id=wished.reference,
        organization=by.organization,
        project=wished.project,
        kind=wished.kind,
        endpoint=wished.endpoint,
        won_per_hour_before=wished.won_per_hour_before,
        idempotency_key=wished.idempotency_key,
        request_digest=wished.digest or wish.digest(),
        name=wish.name,
        model=named.model,
        own_model=named.own,
        region=wish.region,
        replicas=wish.replicas,
        apart=wish.apart,
        wished_chip=wish.chip,
        strategy=wished.strategy,
        chip=priced.chip,
        cards=priced.cards,
        price_version=priced.price_version,
        won_per_card_hour=priced.won_per_card_hour,
        won_per_hour=priced.won_per_hour,
        won_per_month=priced.won_per_month,
        committed_micro=priced.rest_of_month_micro if placed else 0,
        month=str(priced.month),
        state=state,
        placed_at=wished.now,
        placed_by=by.label,
    )
    OrderMove.objects.create(
        organization=by.organization,
        order=order,
        from_state="",
        to_state=state,
        because="Placed within the budget." if placed else "Waits for approval.",
        at=wished.now,
    )
    return order


def wait(wished: Wished, priced: Quote) -> Order:
    """Write the order down and ask those who have to approve it."""
    order = row(wished, priced, OrderState.AWAITING)
    waiting_orders.ask(order, wished.project, wished.by, wished.now)
    return order


def _write(wished: Wished) -> tuple[Order, Commitment]:
    """All rows of the order, with the sites locked so that no card is promised twice."""
    standing.require_ordering(wished.by.organization)  # a hold may have come meanwhile
    priced, sites = quoting.quote_locked(wished.wish, wished.project, wished.now)
    if waiting_orders.steps_for(wished.project, priced.won_per_month):
        raise HasToBeSigned(priced)
    order = row(wished, priced, OrderState.PLACED)
    return order, fulfilling.fulfil(order, priced, sites, wished.by, wished.now)
