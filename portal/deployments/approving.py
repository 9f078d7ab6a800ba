"""What is carried out once all have signed, by kind: one table of all apps' deeds.

A kind is one line here and one in ``billing.approvals.kinds.KINDS``. Doors and sweeps come
through this module, so that no app below has to know of one above.
"""

from __future__ import annotations

from datetime import datetime

from billing import raises
from billing.approvals import asking, carrying, deciding, sweeps
from billing.approvals.deciding import Seen, Word
from billing.approvals.kinds import CannotBeDone, Deed, Now
from billing.approvals.matrix import ORDER, RAISE, SITES, TRANSFER
from billing.fiscal import transfers
from billing.models import ApprovalRequest, ApprovalState
from portal.deployments.actions import approved_orders, approved_reservations, project_sites
from tenants import actors
from tenants.actors import Actor

DEEDS: dict[str, Deed] = {
    ORDER: approved_reservations.beside(approved_orders.DEED),
    RAISE: raises.DEED,
    TRANSFER: transfers.DEED,
    SITES: project_sites.DEED,
}


def decide(
    *, request: ApprovalRequest, seen: Seen, word: Word, by: Actor, now: datetime
) -> ApprovalRequest:
    """As ``billing.approvals.deciding.decide``."""
    deed = DEEDS[request.kind]
    return deciding.decide(request=request, seen=seen, word=word, deed=deed, by=by, now=now)


def ask_again(*, request: ApprovalRequest, by: Actor, now: datetime) -> ApprovalRequest:
    """As ``asking.ask_again``; carried out at once where nobody has to sign. Opens its own
    transactions."""
    deed = DEEDS[request.kind]
    with actors.scope_for(by):
        found = asking.ask_again(request=request, deed=deed, by=by, now=now)
    if found.state == ApprovalState.APPROVED:
        return carrying.carry_out(request=found, deed=deed, by=by, now=now)
    return found


def withdraw(*, request: ApprovalRequest, by: Actor, now: datetime) -> ApprovalRequest:
    """As ``asking.withdraw``, in a transaction of its own."""
    with actors.scope_for(by):
        return asking.withdraw(request=request, deed=DEEDS[request.kind], by=by, now=now)


def repeat(*, request: ApprovalRequest, by: Actor, now: datetime) -> ApprovalRequest:
    """As ``carrying.repeat``."""
    return carrying.repeat(request=request, deed=DEEDS[request.kind], by=by, now=now)


def terms_now(request: ApprovalRequest, now: datetime) -> tuple[Now | None, str]:
    """What it would be asked for now; or the sentence why it cannot be had."""
    try:
        return DEEDS[request.kind].terms_now(request, now), ""
    except CannotBeDone as error:
        return None, str(error)


def sweep(*, now: datetime) -> int:
    """What time does to requests of all organizations."""
    return sweeps.sweep(DEEDS, now=now)
