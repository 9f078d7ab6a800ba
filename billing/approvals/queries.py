"""What doors ask about approvals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import cast

from django.db.models import Model, OuterRef, QuerySet, Subquery

from billing import budgets
from billing.approvals import moving, turns
from billing.approvals.chain import Chain, pool_now
from billing.approvals.kinds import Deed
from billing.approvals.matrix import RAISE
from billing.approvals.people import VERB, Members
from billing.approvals.seats import Pool
from billing.models import (
    OPEN_STATES,
    ApprovalRequest,
    ApprovalState,
    Budget,
)
from portal.lib.money import MICRO, micro_to_won
from tenants.actors import Actor
from tenants.models import Project

SHOWS = ("mine", "asked", "open", "closed")


def requests(actor: Actor) -> QuerySet[ApprovalRequest]:
    """All that the actor may see, newest first."""
    rows = ApprovalRequest.objects.visible_to(actor)
    rows = rows.select_related("requested_by", "organization")
    return rows.order_by("-requested_at", "-pk")


def shown(actor: Actor, show: str, kind: str, *, now: datetime) -> QuerySet[ApprovalRequest]:
    """One of ``SHOWS``: what waits for the actor, what they asked, what is open, what is over."""
    rows = requests(actor)
    if kind:
        rows = rows.filter(kind=kind)
    if show == "mine":
        return rows.filter(pk__in=turns.of(actor, now=now))
    if show == "asked":
        return rows.filter(requested_by=actor.user)
    if show == "open":
        return rows.filter(state__in=OPEN_STATES)
    return rows.exclude(state__in=OPEN_STATES)


def with_request[M: Model](rows: QuerySet[M], kind: str) -> QuerySet[M]:
    """Rows that a request is about, by their public id: with ``approval``, its public id, and
    ``approval_state``. Both None where none was ever made."""
    of_row = ApprovalRequest.objects.filter(kind=kind, subject=OuterRef("public_id"))
    newest = of_row.order_by("-pk")
    found = rows.annotate(
        approval=Subquery(newest.values("public_id")[:1]),
        approval_state=Subquery(newest.values("state")[:1]),
    )
    return cast("QuerySet[M]", found)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: the pool of the open step, and the people by name. ``mine``: the actor
    may decide now; ``behalf``: whom they would stand in for."""

    step: int
    pool: Pool
    names: tuple[str, ...]
    mine: bool
    behalf: str


def turn_of(request: ApprovalRequest, actor: Actor, *, now: datetime) -> Turn | None:
    """None while nobody has to decide."""
    if request.state != ApprovalState.WAITING:
        return None
    members = Members(actor.organization, now=now)
    return turn_in(moving.chain_of(request), request, members, actor, now=now)


def turn_in(
    chain: Chain, request: ApprovalRequest, members: Members, actor: Actor, *, now: datetime
) -> Turn | None:
    """The same for who has read the chain and the members already."""
    if request.state != ApprovalState.WAITING:
        return None
    pool, step = pool_now(chain, members.people(request.project)), chain.current
    if pool is None or step is None:
        return None
    seat = pool.seat_of(actor.user.public_id) if actor.user and actor.can(VERB) else None
    return Turn(
        step=step + 1,
        pool=pool,
        names=tuple(_named(pool, members)),
        mine=seat is not None and request.expires_at > now,
        behalf=_label(members, seat.of) if seat and seat.of != seat.user else "",
    )


def _named(pool: Pool, members: Members) -> list[str]:
    """``이정민``, or ``박도현 (이정민)`` for a deputy."""
    found: dict[str, None] = {}
    for seat in pool.seats:
        own = _label(members, seat.user)
        found[own if seat.of == seat.user else f"{own} ({_label(members, seat.of)})"] = None
    return list(found)


def _label(members: Members, user: str) -> str:
    row = members.of_user(user)
    return row.user.label if row else ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A budget as it stands, and what it has left after the request; exact won."""

    name: str
    left: Decimal
    after: Decimal
    live: bool


def forecast(
    request: ApprovalRequest, deed: Deed, actor: Actor, *, now: datetime
) -> list[Forecast]:
    """The budgets that it would draw on, or raise; none where it costs nothing."""
    amount = deed.sets_aside(request, now)
    if request.kind != RAISE and not amount:
        return []
    projects = {one.public_id: one for one in Project.objects.visible_to(actor)}
    rows = Budget.objects.visible_to(actor)
    if request.kind == RAISE:
        rows = rows.filter(raises__public_id=request.subject)
        amount = -request.amount_won * MICRO
    else:
        subjects = budgets.subjects_of(actor.organization, projects.get(request.project))
        rows = rows.filter(subject__in=subjects)
    found = []
    for one in rows.order_by("scope", "pk"):
        standing = budgets.standing(one, actor.organization, now=now)
        name = projects[one.subject].name if one.subject in projects else actor.organization.name
        after = standing.left - micro_to_won(amount)
        found.append(Forecast(name, standing.left, after, standing.live))
    return found
