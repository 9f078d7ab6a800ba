"""Orders that need approval: they wait with their price, and hold neither money nor cards.

Nothing is held because nobody knows for how long: a hold of two weeks would stop requests that
are to be paid now. So the money and the cards are looked for once all have signed; if they are
not there then, the page says so and it can be repeated.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing.approvals import asking
from billing.approvals.asking import Wish
from billing.approvals.matrix import ORDER, Step
from billing.models import ApprovalRequest
from portal.deployments.models import Order, OrderKind, OrderState, Strategy
from portal.deployments.states import move_order
from tenants.actors import Actor
from tenants.models import Project


def terms_of(order: Order) -> dict[str, Any]:
    """What is approved: what runs, and its price. Amounts in won without VAT."""
    kind: dict[str, Any] = {} if order.kind == OrderKind.CREATE else {"change": order.kind}
    if order.strategy != Strategy.ROLLING:
        kind |= {"strategy": order.strategy}
    return kind | {
        "name": order.name,
        "model": order.own_model.name if order.own_model else order.model.slug,
        "region": order.region,
        "replicas": order.replicas,
        "chip": order.chip,
        "cards": order.cards,
        "won_per_card_hour": f"{order.won_per_card_hour.normalize():f}",
        "won_per_hour": order.won_per_hour,
        "won_per_month": order.won_per_month,
    }


def steps_for(project: Project, won_per_month: int) -> tuple[Step, ...]:
    """Who has to sign by the rules of now; the amount is that of a whole month, always on."""
    return asking.rule_for(
        project.organization, kind=ORDER, amount_won=won_per_month, project=project
    ).steps


def ask(order: Order, project: Project, by: Actor, now: datetime) -> None:
    """Ask those whom the rules name for an order that was written as ``awaiting``."""
    asking.ask(
        wish=Wish(
            kind=ORDER,
            subject=order.public_id,
            title=order.name,
            terms=terms_of(order),
            amount_won=order.won_per_month,
            project=project,
        ),
        by=by,
        now=now,
    )


def request_of(order: Order, by: Actor) -> ApprovalRequest | None:
    """The order's request for approval."""
    rows = ApprovalRequest.objects.visible_to(by).filter(kind=ORDER, subject=order.public_id)
    return rows.first()


def cancel(order: Order, now: datetime) -> None:
    """Nobody wants it any more. Repeating it changes nothing."""
    if order.state == OrderState.AWAITING:
        move_order(order, OrderState.CANCELLED, because="It was not approved.", now=now)
