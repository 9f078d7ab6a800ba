"""What doors ask about approvals."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from billing import budgets
from billing.approvals import moving
from billing.approvals.chain import Chain, pool_now
from billing.approvals.kinds import Deed
from billing.approvals.matrix import RAISE
from billing.approvals.people import VERB, Members
from billing.approvals.seats import Pool
from billing.models import (
    OPEN_STATES,
    ApprovalDecision,
    ApprovalRequest,
    ApprovalState,
    ApprovalStep,
    Budget,
)
from portal.lib.money import MICRO, micro_to_won
from tenants.actors import Actor
from tenants.models import Project

LOOKED_AT = 500  # waiting requests that are asked whose turn it is; the pages say so beyond

SHOWS = ("mine", "asked", "open", "closed")


def requests(actor: Actor) -> QuerySet[ApprovalRequest]:
    """All that the actor may see, newest first."""
    rows = ApprovalRequest.objects.visible_to(actor).select_related("requested_by")
    return rows.order_by("-requested_at", "-pk")


def shown(actor: Actor, show: str, kind: str, *, now: datetime) -> QuerySet[ApprovalRequest]:
    """One of ``SHOWS``: what waits for the actor, what they asked, what is open, what is over."""
    rows = requests(actor)
    if kind:
        rows = rows.filter(kind=kind)
    if show == "mine":
        return rows.filter(pk__in=[one.pk for one in waiting_for(actor, now=now)])
    if show == "asked":
        return rows.filter(requested_by=actor.user)
    if show == "open":
        return rows.filter(state__in=OPEN_STATES)
    return rows.exclude(state__in=OPEN_STATES)


def waiting_for(actor: Actor, *, now: datetime) -> list[ApprovalRequest]:
    """Those whose open step the actor may take now. One query where nothing waits at all."""
    if actor.user is None or not actor.can(VERB):
        return []
    rows = ApprovalRequest.objects.visible_to(actor).filter(
        state=ApprovalState.WAITING, expires_at__gt=now
    )
    waiting = list(rows.select_related("requested_by").order_by("expires_at", "pk")[:LOOKED_AT])
    if not waiting:
        return []
    members, chains = Members(actor.organization, now=now), _chains(waiting)
    found = []
    for one in waiting:
        pool = pool_now(chains[one.pk], members.people(one.project))
        if pool is not None and pool.seat_of(actor.user.public_id) is not None:
            found.append(one)
    return found


def _chains(waiting: list[ApprovalRequest]) -> dict[int, Chain]:
    """The running rounds of many requests, in two queries."""
    rounds = {one.pk: one.round for one in waiting}
    steps: dict[int, list[ApprovalStep]] = defaultdict(list)
    for step in ApprovalStep.objects.filter(request__in=waiting).order_by("position"):
        if step.round == rounds[step.request_id]:
            steps[step.request_id].append(step)
    said: dict[int, list[ApprovalDecision]] = defaultdict(list)
    rows = ApprovalDecision.objects.filter(request__in=waiting)
    for decision in rows.select_related("decided_by", "for_user"):
        said[decision.request_id].append(decision)
    return {one.pk: moving.assembled(one, steps[one.pk], said[one.pk]) for one in waiting}


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
    members, chain = Members(actor.organization, now=now), moving.chain_of(request)
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
    if request.kind == RAISE:
        rows = Budget.objects.visible_to(actor).filter(public_id=request.subject)
        amount = -request.amount_won * MICRO
    elif amount:
        project = Project.objects.filter(public_id=request.project).first()
        subjects = budgets.subjects_of(actor.organization, project)
        rows = Budget.objects.visible_to(actor).filter(subject__in=subjects)
    else:
        return []
    titles = dict(Project.objects.visible_to(actor).values_list("public_id", "name"))
    found = []
    for one in rows.order_by("scope", "pk"):
        standing = budgets.standing(one, actor.organization, now=now)
        name = titles.get(one.subject, actor.organization.name)
        after = standing.left - micro_to_won(amount)
        found.append(Forecast(name, standing.left, after, standing.live))
    return found
