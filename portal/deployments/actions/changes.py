"""Orders for an endpoint that is there: more or fewer replicas, and running again after a pause.

As ``orders``: priced beforehand, once, within the budget, or not at all. Only what is more than
before is held. Every change is a new revision. Valkey is called outside transactions, so the door
must not open one around these actions (``rls.own_transactions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import budgets
from billing.fiscal import orders as fiscal
from billing.models import Commitment
from portal.catalog.models import Offering
from portal.deployments import moving, quoting, requoting
from portal.deployments.actions import (
    freeing_orders,
    orders,
    placements,
    rolling,
    waiting_orders,
)
from portal.deployments.actions.orders import Wished
from portal.deployments.models import (
    Endpoint,
    Order,
    OrderKind,
    OrderState,
    Revision,
    Rollout,
    Scaling,
    Strategy,
)
from portal.deployments.requoting import Change, ChangeQuote
from portal.deployments.states import move_order
from portal.fleet.models import Site
from portal.lib import ids
from tenants import actors, audit, standing
from tenants.actors import Actor
from tenants.models import Project

BECAUSE = {
    OrderKind.RESIZE: gettext_noop("Another number of replicas was ordered."),
    OrderKind.RESUME: gettext_noop("It runs again after a pause."),
    OrderKind.MOVE: gettext_noop("Another form was ordered."),
}


class NotNow(Exception):
    """The endpoint's state does not allow this change; the sentence says what to do first."""


class Paused(NotNow):
    def __str__(self) -> str:
        return _("This endpoint is paused. Resume it, with as many replicas as you like.")


class Runs(NotNow):
    def __str__(self) -> str:
        return _("This endpoint is not paused.")


class Rolls(NotNow):
    def __str__(self) -> str:
        return _("Replicas are being replaced just now. Wait for the end, or roll back first.")


class Stopped(NotNow):
    def __str__(self) -> str:
        return _("This endpoint was stopped for good. Order another one.")


class Held(NotNow):
    def __str__(self) -> str:
        return _("This endpoint is held. What holds it has to end first; its page says what to do.")


class Waits(NotNow):
    def __str__(self) -> str:
        return _("Another change of this endpoint waits to be signed. It has to be decided first.")


class ChangedMeanwhile(NotNow):
    def __str__(self) -> str:
        return _("Somebody has just changed this endpoint. Look at it again.")


class NoStrategy(Exception):
    """Nothing is replaced, or nobody knows how."""

    def __str__(self) -> str:
        return _(
            "Only another form replaces replicas: rolling, blue_green or canary. Another number of "
            "replicas, or running again, needs no strategy: leave it out."
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A change on its way to becoming an order."""

    reference: str
    change: Change
    endpoint: Endpoint
    project: Project
    idempotency_key: str
    by: Actor
    now: datetime

    def wished(self, found: ChangeQuote) -> Wished:
        return Wished(
            reference=self.reference,
            wish=found.wish,
            project=self.project,
            idempotency_key=self.idempotency_key,
            by=self.by,
            now=self.now,
            kind=self.change.kind,
            endpoint=self.endpoint,
            digest=self.change.digest(self.endpoint),
            won_per_hour_before=found.won_per_hour_before,
            strategy=self.change.strategy,
        )


def place(
    *, change: Change, endpoint: Endpoint, idempotency_key: str, by: Actor, now: datetime
) -> Order:
    """Order a change. The same key again gives the same order; nothing is changed twice.

    It waits for signatures (state ``awaiting``) where the rules ask for them at the new price and
    the endpoint never cost as much. ``NotNow``, ``requoting.NothingChanges``, ``quoting.NoRoom``,
    ``NotForSale``, ``BadReplicas``, ``NoStrategy``, and as ``orders.place``.
    """
    by.require("orders.create")
    digest = change.digest(endpoint)
    try:
        with actors.scope_for(by):
            first = orders.before(by, idempotency_key, digest)
            if first is not None:
                return first
            found, project = price(change=change, endpoint=endpoint, by=by, now=now)
            asked = _Asked(ids.mint("ord"), change, endpoint, project, idempotency_key, by, now)
            if must_be_signed(endpoint, found, project):
                return orders.wait(asked.wished(found), found.priced)
        return orders.keep(asked.reference, found.priced, project, by, lambda: _write(asked, found))
    except orders.HasToBeSigned as error:  # the rules have changed since they were looked at
        with actors.scope_for(by):
            return orders.wait(asked.wished(found), error.priced)
    except (budgets.BudgetExceeded, ChangedMeanwhile) as error:
        return orders.twin(by, idempotency_key, digest, error)
    except IntegrityError as error:
        return orders.twin(by, idempotency_key, digest, ChangedMeanwhile(), error)


def price(
    *, change: Change, endpoint: Endpoint, by: Actor, now: datetime
) -> tuple[ChangeQuote, Project]:
    """What it would cost; or why it cannot be had. Changes nothing. ``endpoint``: as a door has
    just found it; ``Endpoint.DoesNotExist`` if it is another organization's."""
    if endpoint.organization_id != by.organization.pk:
        raise Endpoint.DoesNotExist
    if endpoint.project is not None:
        endpoint.project.organization = by.organization  # known, and not asked for again
    check(endpoint, change, by)
    found = quote(change, endpoint, now)
    assert endpoint.project is not None  # form_of has looked
    return found, endpoint.project


def quote(change: Change, endpoint: Endpoint, now: datetime) -> ChangeQuote:
    """``quoting.NoRoom``, ``NotForSale``, ``BadReplicas``, ``requoting.NothingChanges``."""
    sites = Site.objects.active().select_related("region").order_by("pk")
    return _quote_at(list(sites), change, endpoint, now)


def _quote_at(sites: list[Site], change: Change, endpoint: Endpoint, now: datetime) -> ChangeQuote:
    if change.kind == OrderKind.MOVE:
        return moving.quote_at(sites, change, endpoint, now)
    return requoting.quote_at(sites, change, endpoint, now)


def check(endpoint: Endpoint, change: Change, by: Actor, *, but: str = "") -> None:
    """Whether the endpoint may be changed so now, whatever it costs. ``but``: public id of the
    order that is being carried out."""
    standing.require_ordering(by.organization)
    if change.strategy not in (Strategy if change.kind == OrderKind.MOVE else (Strategy.ROLLING,)):
        raise NoStrategy
    if endpoint.stopped_at is not None:
        raise Stopped
    if change.kind == OrderKind.RESUME and endpoint.paused_at is None:
        raise Runs
    if endpoint.operator_hold or (endpoint.funding_hold and change.kind != OrderKind.RESUME):
        raise Held  # a resumed one sets its money aside anew
    if change.kind != OrderKind.RESUME and endpoint.paused_at is not None:
        raise Paused
    waiting = Order.objects.filter(endpoint=OuterRef("pk"), state=OrderState.AWAITING)
    open_ones = Rollout.objects.filter(endpoint=OuterRef("pk"), state__in=rolling.OPEN)
    beside = Endpoint.objects.filter(pk=endpoint.pk).values_list(
        Exists(open_ones), Exists(waiting.exclude(public_id=but))
    )
    rolls, waits = beside.get()
    if rolls:
        raise Rolls
    if waits:
        raise Waits
    if change.kind == OrderKind.RESUME:
        orders.refuse_too_many(by)


def must_be_signed(endpoint: Endpoint, found: ChangeQuote, project: Project) -> bool:
    """Not for less than was ordered before: who resumes what was signed, or takes some of it
    away, needs nobody. The whole is looked at and not the difference, so that a large order cannot
    be cut into small ones."""
    done = endpoint.orders.forming()
    most = max(done.values_list("won_per_month", flat=True), default=0)
    if found.priced.won_per_month <= most:
        return False
    return bool(waiting_orders.steps_for(project, found.priced.won_per_month))


def _write(asked: _Asked, seen: ChangeQuote) -> tuple[Order, Commitment | None]:
    """All rows, with sites and endpoint locked. ``ChangedMeanwhile`` if it is not what was seen."""
    found, sites = quote_locked(asked.endpoint, asked.change, asked.by, asked.now)
    if found.generation != seen.generation or found.priced.rest_of_month_micro != (
        seen.priced.rest_of_month_micro
    ):
        raise ChangedMeanwhile
    if must_be_signed(asked.endpoint, found, asked.project):
        raise orders.HasToBeSigned(found.priced)
    order = orders.row(asked.wished(found), found.priced, OrderState.PLACED)
    return order, fulfil(order, found, sites, asked.by, asked.now)


def quote_locked(
    endpoint: Endpoint, change: Change, by: Actor, now: datetime, *, but: str = ""
) -> tuple[ChangeQuote, list[Site]]:
    """The price, with sites and endpoint locked until the end of the transaction."""
    sites = list(
        Site.objects.active().select_for_update(of=["self"]).select_related("region").order_by("pk")
    )
    rows = Endpoint.objects.select_related("project", "model", "organization")
    locked = rows.select_for_update(of=["self"]).get(organization=by.organization, pk=endpoint.pk)
    check(locked, change, by, but=but)
    return _quote_at(sites, change, locked, now), sites


def fulfil(
    order: Order, found: ChangeQuote, sites: list[Site], by: Actor, now: datetime
) -> Commitment | None:
    """A new revision, replicas that come and go, the money; inside the transaction that placed
    the order, with sites and endpoint locked."""
    endpoint = order.endpoint
    assert endpoint is not None  # of every change
    if order.kind == OrderKind.MOVE:
        return _begin_move(order, found, by, now)
    Endpoint.objects.filter(pk=endpoint.pk).update(
        paused_at=None,
        asleep_since=None,
        funding_hold=False,
        generation=found.generation + 1,
        overcommitted=bool(found.leaving) or endpoint.overcommitted,
    )
    freeing_orders.overtaken(endpoint, now)
    Scaling.objects.filter(endpoint=endpoint).update(used_at=now)  # idle no sooner than from now
    offering = Offering.objects.get(pk=found.priced.offering)
    revise(endpoint, order, offering, now)
    placements.unwant(endpoint=endpoint, only=found.leaving)
    by_code = {site.code: site for site in sites}
    for code in found.priced.choice.sites:
        placements.want(endpoint=endpoint, site=by_code[code], offering=offering, now=now)
    commitment = set_aside(order, found.priced, by, now)
    move_order(order, OrderState.FULFILLED, because="Replicas are asked for.", now=now)
    audit.record(
        f"endpoint.{order.kind}",
        by=by,
        now=now,
        subject=endpoint.public_id,
        changes={"order": order.public_id, "replicas": order.replicas, "cards": order.cards},
    )
    return commitment


def _begin_move(order: Order, found: ChangeQuote, by: Actor, now: datetime) -> Commitment | None:
    """The order stays placed until the rollout is done, or fails with it."""
    endpoint = order.endpoint
    assert endpoint is not None  # of every change
    Endpoint.objects.filter(pk=endpoint.pk).update(generation=found.generation + 1)
    old = requoting.form_of(endpoint)
    new = revise(endpoint, order, Offering.objects.get(pk=found.priced.offering), now)
    rolling.begin(order=order, old=old, new=new, now=now)
    commitment = set_aside(order, found.priced, by, now)
    audit.record(
        "endpoint.move",
        by=by,
        now=now,
        subject=endpoint.public_id,
        changes={
            "order": order.public_id,
            "region": order.region,
            "chip": order.chip,
            "strategy": order.strategy,
        },
    )
    return commitment


def revise(endpoint: Endpoint, order: Order, offering: Offering, now: datetime) -> Revision:
    """The form that the order asks for, as the endpoint's newest revision."""
    last = requoting.form_of(endpoint)
    return Revision.objects.create(
        organization=endpoint.organization,
        endpoint=endpoint,
        number=last.number + 1,
        offering=offering,
        replicas=order.replicas,
        least=last.least if last.least is not None and last.least < order.replicas else None,
        regions=[order.region] if order.region else [],
        apart=order.apart,
        because=BECAUSE[OrderKind(order.kind)],
        created_at=now,
        created_by=order.placed_by,
    )


def set_aside(order: Order, priced: quoting.Quote, by: Actor, now: datetime) -> Commitment | None:
    """The row of what was held; of a public institution its budget line commits it, or refuses."""
    if not priced.rest_of_month_micro:
        return None
    assert order.endpoint is not None  # of every change
    commitment = budgets.record_commitment(
        organization=order.organization,
        project=order.project,
        reference=order.public_id,
        endpoint=order.endpoint.public_id,
        month=priced.month,
        amount_micro=priced.rest_of_month_micro,
    )
    fiscal.commit(
        commitment,
        project=order.project,
        subject=order.name,
        seller=settings.DURE_SELLER_NAME,
        by=by,
        now=now,
    )
    return commitment
