"""Doing what was approved: at the approved terms or not at all, once, and again after a failure.

The deed opens its own transactions (an order asks Valkey first), so it stands between two short
ones here. A process that dies in between leaves the request ``approved``: the sweep looks whether
the deed was done, and does it if not.
"""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from billing.approvals import asking, moving, telling
from billing.approvals.asking import NotOpen, NotYours
from billing.approvals.kinds import CannotBeDone, Deed
from billing.models import ApprovalRequest, ApprovalState, ApprovalTerms
from tenants import actors, audit
from tenants.actors import Actor

TO_DO = (ApprovalState.APPROVED, ApprovalState.FAILED)


def carry_out(*, request: ApprovalRequest, deed: Deed, by: Actor, now: datetime) -> ApprovalRequest:
    """Do it, and say what came of it: ``done``, ``failed`` with a sentence, or ``changed`` where
    price or terms are no longer those that were approved. Repeating it does nothing twice."""
    with actors.scope_for(by):
        found = moving.locked(request, by)
        if found.state not in TO_DO:
            return found
        if result := deed.done(found):
            return finished(found, result, by, now)
        if asking.has_changed(found, deed, now) is not None:
            changed(found, now)
            return found
    try:
        result = deed.carry_out(found, by, now)
    except CannotBeDone as error:
        with actors.scope_for(by):
            return _failed(moving.locked(request, by), str(error), now)
    with actors.scope_for(by):
        return finished(moving.locked(request, by), result, by, now)


def to_do(request: ApprovalRequest, by: Actor) -> ApprovalTerms:
    """What all have signed, for a deed that is done in one transaction: until its end nobody
    withdraws the request. ``CannotBeDone`` if somebody has."""
    if moving.locked(request, by).state not in TO_DO:
        raise CannotBeDone(str(NotOpen()))
    return moving.terms_of(request)


def repeat(*, request: ApprovalRequest, deed: Deed, by: Actor, now: datetime) -> ApprovalRequest:
    """Try again what failed; for who asked, and for those who may decide. ``NotYours``,
    ``NotOpen``. Opens its own transactions."""
    with actors.scope_for(by):
        found = moving.locked(request, by)
        mine = by.user is not None and found.requested_by_id == by.user.pk
        if not mine and not by.can("approvals.decide"):
            raise NotYours
        if found.state not in TO_DO:
            raise NotOpen
    return carry_out(request=found, deed=deed, by=by, now=now)


def changed(found: ApprovalRequest, now: datetime) -> None:
    """Price or terms are others now: whoever asked is told, and may ask again on them."""
    moving.move(found, ApprovalState.CHANGED, because=asking.CHANGED, now=now)
    telling.requester(found, "approval.changed", now)


def finished(found: ApprovalRequest, result: str, by: Actor, now: datetime) -> ApprovalRequest:
    """It is done, and who asked is told."""
    if found.state not in TO_DO:
        return found
    because = "Carried out on the approved terms."
    if moving.move(found, ApprovalState.DONE, because=because, now=now, result=result, fault=""):
        changes = {"about": found.subject, "result": result, "for": found.requested_by.public_id}
        audit.record("approval.carry_out", by=by, now=now, subject=found.public_id, changes=changes)
        telling.requester(found, "approval.approved", now)
    return found


def _failed(found: ApprovalRequest, sentence: str, now: datetime) -> ApprovalRequest:
    if found.state not in TO_DO:
        return found
    first = found.state == ApprovalState.APPROVED
    because = sentence or _("It could not be carried out.")
    moving.move(found, ApprovalState.FAILED, because=because, now=now, fault=because[:300])
    if first:
        telling.requester(found, "approval.failed", now, because=because)
    return found
