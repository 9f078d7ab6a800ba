"""Ordering a dedicated endpoint: priced beforehand, once, within the budget, or not at all.

The worst case of the running month is held in Valkey before the rows are written, and becomes
committed after they are kept. A crash in between leaves a hold that the sweep
(``commitments.repair``) takes back. Valkey is never called inside a transaction, so the door
must not open one around this action (``rls.own_transactions``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec
from django.db import IntegrityError
from django.utils.translation import gettext as _

from billing import budgets, estimates, tariffs, terms
from billing.models import Commitment
from portal.catalog.models import CatalogModel
from portal.deployments import capacity, placement
from portal.deployments.actions import fulfilling, waiting_orders
from portal.deployments.models import Endpoint, Order, OrderMove, OrderState
from portal.deployments.placement import Choice, Rejection, SiteRoom
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.periods import Month
from tenants import actors, names, quotas, rls, standing
from tenants.actors import Actor
from tenants.models import ModelAlias, Project


class NoCardFree(Exception):
    """No allowed site has room. ``rejected`` says why, site by site."""

    def __init__(self, rejected: tuple[Rejection, ...]) -> None:
        super().__init__()
        self.rejected = rejected

    def __str__(self) -> str:
        return _("No site there has enough free cards. Choose another region or fewer replicas.")


class NameTaken(Exception):
    def __str__(self) -> str:
        return _("Another endpoint has this name. Choose a different one.")


class NameIsAlias(NameTaken):
    """The endpoint would take the name away from whom a project calls by it."""

    def __str__(self) -> str:
        return _("A project calls a model by this name. Choose a different one.")


class NotForSale(Exception):
    def __str__(self) -> str:
        return _("This model cannot be ordered as an endpoint of your own yet.")


class IdempotencyMismatch(Exception):
    def __str__(self) -> str:
        return _("This Idempotency-Key was used for another order. Send a new key.")


class BadReplicas(Exception):
    def __init__(self, most: int = quotas.QUOTAS["replicas"].usual) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("Choose 1 to %(most)d replicas.") % {"most": self.most}


class _HasToBeSigned(Exception):
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


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer chose."""

    name: str
    model: str  # slug
    region: str  # code; empty means any
    replicas: int

    def digest(self) -> str:
        return hashlib.sha256(
            msgspec.json.encode([self.name, self.model, self.region, self.replicas])
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class Quote:
    """The price before the button. Whole won are rounded up; VAT is not in them."""

    chip: str
    cards: int
    price_version: str
    won_per_card_hour: Decimal
    won_per_hour: int
    won_per_month: int
    rest_of_month_micro: int
    month: Month
    choice: Choice


def quote(*, wish: Wish, project: Project, now: datetime) -> Quote:
    """What the wish would cost and where it would run. ``NoCardFree``, ``NotForSale``."""
    most = quotas.most(project.organization, "replicas")
    if not 1 <= wish.replicas <= most:
        raise BadReplicas(most)
    model = CatalogModel.objects.filter(slug=wish.model, kind="chat").first()
    if model is None:
        raise NotForSale
    return _quote(wish, model, project, list(_sites()), now)


def _sites() -> list[Site]:
    return list(Site.objects.active().select_related("region").order_by("pk"))


def _quote(
    wish: Wish, model: CatalogModel, project: Project, sites: list[Site], now: datetime
) -> Quote:
    with rls.everyone(because="cards are shared by all tenants; only counts are read"):
        rooms = capacity.rooms(model, sites=sites, now=now)
    choice = _choose(rooms, wish, project)
    chosen = {room.site: room for room in rooms}[choice.sites[0]]
    tariff = tariffs.card_tariff_at(chosen.chip, now, project.organization_id)
    if tariff is None:
        raise NotForSale
    cards = chosen.cards_per_replica * wish.replicas
    month = Month.of(now)
    rest_seconds = int((month.period.end - now).total_seconds()) + 1
    of_month = terms.of(project.organization, month)
    rest = estimates.run(tariff, cards=cards, seconds=rest_seconds, terms=of_month)
    priced = estimates.endpoint(tariff, cards=cards, month=month)
    return Quote(
        chip=chosen.chip,
        cards=cards,
        price_version=tariff.public_id,
        won_per_card_hour=tariff.won_per_hour,
        won_per_hour=priced.hour.supply_won,
        won_per_month=priced.worst.supply_won,
        rest_of_month_micro=rest.supply_won * 1_000_000,
        month=month,
        choice=choice,
    )


def _choose(rooms: list[SiteRoom], wish: Wish, project: Project) -> Choice:
    """All replicas on one kind of chip, so that an order has one price. The first that fits."""
    regions = [wish.region] if wish.region else list(project.regions)
    if wish.region and project.regions and wish.region not in project.regions:
        # Its keys could never call it there.
        raise NoCardFree(
            tuple(
                Rejection(room.site, "other_region", room.cards_free, room.cards_per_replica)
                for room in rooms
            )
        )
    rejected: tuple[Rejection, ...] = ()
    for chip in sorted({room.chip for room in rooms}):
        choice = placement.choose(
            [room for room in rooms if room.chip == chip],
            regions=regions,
            replicas=wish.replicas,
            data_class=project.data_class,
        )
        if choice.sites:
            return choice
        rejected += choice.rejected
    raise NoCardFree(rejected)


def place(*, wish: Wish, project: Project, idempotency_key: str, by: Actor, now: datetime) -> Order:
    """Order an endpoint. The same key again gives the same order; nothing is ordered twice.

    Where the organization's rules ask for approval the order waits (state ``awaiting``): it has
    its price, and holds neither money nor cards until all have signed.

    ``NoCardFree``, ``NameTaken``, ``BadReplicas``, ``TooManyEndpoints``,
    ``standing.OrderingClosed``, ``budgets.BudgetExceeded``, ``IdempotencyMismatch``, and of a
    budget line ``fiscal.LineRefuses``, ``NoLine``.
    """
    by.require("orders.create")
    wish = _normal(wish)
    wished = Wished(ids.mint("ord"), wish, project, idempotency_key, by, now)
    try:
        with actors.scope_for(by):
            before = _before(by, idempotency_key, wish)
            if before is not None:
                return before
            check(by, wish)
            priced = quote(wish=wish, project=project, now=now)
            if waiting_orders.steps_for(project, priced.won_per_month):
                return _wait(wished, priced)
        return keep(wished.reference, priced, project, by, lambda: _write(wished))
    except _HasToBeSigned as error:
        with actors.scope_for(by):
            return _wait(wished, error.priced)
    except budgets.BudgetExceeded as error:
        return _twin(by, idempotency_key, wish, error)
    except IntegrityError as error:
        return _twin(by, idempotency_key, wish, NameTaken(), error)


def check(by: Actor, wish: Wish) -> None:
    """Whether the organization may order this now, whatever it costs."""
    standing.require_ordering(by.organization)
    _refuse_name(by, wish.name)
    _refuse_too_many(by)


def keep(
    reference: str,
    priced: Quote,
    project: Project,
    by: Actor,
    write: Callable[[], tuple[Order, Commitment]],
) -> Order:
    """Hold the money, write the rows, make the hold a commitment. Opens its own transactions;
    whatever goes wrong, nothing is held afterwards. ``budgets.BudgetExceeded``."""
    with actors.scope_for(by):
        subjects = budgets.subjects_of(by.organization, project)
    budgets.reserve(
        organization=by.organization,
        subjects=subjects,
        reference=reference,
        month=priced.month,
        amount_micro=priced.rest_of_month_micro,
    )
    try:
        with actors.scope_for(by):
            order, commitment = write()
    except BaseException:
        budgets.unreserve(organization=by.organization, reference=reference, month=priced.month)
        raise
    budgets.tell(commitment, by.organization, subjects)
    return order


def _normal(wish: Wish) -> Wish:
    return Wish(names.normalized(wish.name, longest=60), wish.model, wish.region, wish.replicas)


def _before(by: Actor, idempotency_key: str, wish: Wish) -> Order | None:
    found = (
        Order.objects.visible_to(by)
        .filter(idempotency_key=idempotency_key)
        .select_related("endpoint")
        .first()
    )
    if found is not None and found.request_digest != wish.digest():
        raise IdempotencyMismatch
    return found


def _twin(
    by: Actor, idempotency_key: str, wish: Wish, refusal: Exception, cause: Exception | None = None
) -> Order:
    """Two equal requests at once: the second gets the first one's order, else its refusal."""
    with actors.scope_for(by):
        found = _before(by, idempotency_key, wish)
    if found is None:
        raise refusal from cause
    return found


def _refuse_name(by: Actor, name: str) -> None:
    taken = Endpoint.objects.filter(organization=by.organization, name=name, stopped_at=None)
    if taken.exists() or CatalogModel.objects.filter(slug=name).exists():
        raise NameTaken
    if ModelAlias.objects.filter(organization=by.organization, name__iexact=name).exists():
        raise NameIsAlias


def _refuse_too_many(by: Actor) -> None:
    most = quotas.most(by.organization, "endpoints")
    own = Endpoint.objects.filter(organization=by.organization, stopped_at=None)
    if own.count() >= most:
        raise TooManyEndpoints(most)


@dataclass(frozen=True, slots=True)
class Wished:
    """A wish on its way to becoming an order."""

    reference: str
    wish: Wish
    project: Project
    idempotency_key: str
    by: Actor
    now: datetime


def _row(wished: Wished, priced: Quote, state: str) -> Order:
    """The order with its price. What is set aside is known once it is placed."""
    wish, by = wished.wish, wished.by
    placed = state == OrderState.PLACED
    order = Order.objects.create(
        public_id=wished.reference,
        organization=by.organization,
        project=wished.project,
        idempotency_key=wished.idempotency_key,
        request_digest=wish.digest(),
        name=wish.name,
        model=CatalogModel.objects.get(slug=wish.model),
        region=wish.region,
        replicas=wish.replicas,
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


def _wait(wished: Wished, priced: Quote) -> Order:
    """Write the order down and ask those who have to approve it."""
    order = _row(wished, priced, OrderState.AWAITING)
    waiting_orders.ask(order, wished.project, wished.by, wished.now)
    return order


def _write(wished: Wished) -> tuple[Order, Commitment]:
    """All rows of the order, with the sites locked so that no card is promised twice."""
    standing.require_ordering(wished.by.organization)  # a hold may have come meanwhile
    priced, sites = quote_locked(wished.wish, wished.project, wished.now)
    if waiting_orders.steps_for(wished.project, priced.won_per_month):
        raise _HasToBeSigned(priced)
    order = _row(wished, priced, OrderState.PLACED)
    return order, fulfilling.fulfil(order, priced, sites, wished.by, wished.now)


def quote_locked(wish: Wish, project: Project, now: datetime) -> tuple[Quote, list[Site]]:
    """The price, with the sites locked until the end of the transaction."""
    sites = list(
        Site.objects.active().select_for_update(of=["self"]).select_related("region").order_by("pk")
    )
    return _quote(wish, CatalogModel.objects.get(slug=wish.model), project, sites, now), sites
