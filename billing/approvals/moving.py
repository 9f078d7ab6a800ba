"""State of a request is moved, not set; and the chain as its rows say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing.approvals.chain import Chain, Verdict
from billing.approvals.matrix import Step
from billing.approvals.seats import Rung, Seat
from billing.models import (
    APPROVAL_ARROWS,
    ApprovalDecision,
    ApprovalMove,
    ApprovalRequest,
    ApprovalStep,
    ApprovalTerms,
)
from tenants.actors import Actor

LONGEST = 300


class NoSuchMove(Exception):
    """This state does not lead there. Nothing was changed."""


def move(
    request: ApprovalRequest,
    to_state: str,
    *,
    because: str,
    now: datetime,
    by: str = "",
    **seen: Any,
) -> bool:
    """Move from the state that the request was loaded with; ``seen`` are columns to set with it.
    False if somebody else moved it first. ``NoSuchMove`` if the arrow does not exist."""
    before = request.state
    if (before, to_state) not in APPROVAL_ARROWS:
        raise NoSuchMove(f"{request.public_id}: {before} → {to_state}")
    values = {"state": to_state, "state_since": now, **seen}
    if not ApprovalRequest.objects.filter(pk=request.pk, state=before).update(**values):
        return False
    for name, value in values.items():
        setattr(request, name, value)
    ApprovalMove.objects.create(
        organization_id=request.organization_id,
        request=request,
        from_state=before,
        to_state=to_state,
        because=because[:LONGEST],
        by=by[:120],
        at=now,
    )
    return True


def locked(request: ApprovalRequest, by: Actor) -> ApprovalRequest:
    """The row as it is now; nobody else decides on it meanwhile."""
    rows = ApprovalRequest.objects.visible_to(by).select_for_update(of=("self",))
    return rows.select_related("requested_by", "organization").get(pk=request.pk)


def terms_of(request: ApprovalRequest) -> ApprovalTerms:
    """What the running round asks for."""
    return ApprovalTerms.objects.get(request=request, round=request.round)


def steps_of(request: ApprovalRequest) -> list[ApprovalStep]:
    """The steps of the running round, in order."""
    rows = ApprovalStep.objects.filter(request=request, round=request.round)
    return list(rows.order_by("position"))


def last_word(request: ApprovalRequest) -> ApprovalDecision | None:
    """The last decision of the running round: a no, or the yes that let it be carried out. None
    where nobody had to sign."""
    rows = ApprovalDecision.objects.filter(request=request, step__round=request.round)
    return rows.order_by("at", "pk").last()


def chain_of(request: ApprovalRequest) -> Chain:
    """The running round's steps and what was said."""
    return assembled(request, *read(request))


def read(request: ApprovalRequest) -> tuple[list[ApprovalStep], list[ApprovalDecision]]:
    """The running round's rows, each in their order."""
    decisions = ApprovalDecision.objects.filter(request=request, step__round=request.round)
    return steps_of(request), list(decisions.select_related("decided_by", "for_user"))


def assembled(
    request: ApprovalRequest, rows: list[ApprovalStep], decisions: list[ApprovalDecision]
) -> Chain:
    """The chain out of rows that were read already; the request with ``requested_by``."""
    places = {row.pk: number for number, row in enumerate(rows)}
    return Chain(
        steps=tuple(Step(tuple(row.roles), tuple(row.members), row.needed) for row in rows),
        requester=request.requested_by.public_id,
        verdicts=tuple(
            Verdict(places[one.step_id], seat_of(one), one.agrees, Rung(one.rung))
            for one in decisions
            if one.step_id in places
        ),
    )


def seat_of(decision: ApprovalDecision) -> Seat:
    user = decision.decided_by.public_id
    return Seat(user, decision.for_user.public_id if decision.for_user else user)
