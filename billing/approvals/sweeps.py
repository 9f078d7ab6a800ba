"""What time does to requests: they expire, people are reminded, and what a dead process left
approved is carried out. Looks at rows; repeating it, or two at once, does nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError

from billing.approvals import carrying, moving, telling
from billing.approvals.kinds import Deed
from billing.approvals.people import Members
from billing.models import ApprovalRequest, ApprovalState
from tenants import actors, rls

log = structlog.get_logger()

REMIND_AFTER = (timedelta(days=2), timedelta(days=7), timedelta(days=12))
LEFT_ALONE = timedelta(minutes=5)  # longer than any deed takes
BATCH = 500

Deeds = Mapping[str, Deed]


def sweep(deeds: Deeds, *, now: datetime) -> int:
    """All of it; how many requests were touched. One that fails does not stop the others."""
    return expire(deeds, now=now) + remind(now=now) + carry_on(deeds, now=now)


def _due(**conditions: object) -> list[ApprovalRequest]:
    with rls.everyone(because="sweep: approvals of all organizations"):
        rows = ApprovalRequest.objects.filter(**conditions).select_related("organization")
        return list(rows.order_by("expires_at", "pk")[:BATCH])


def expire(deeds: Deeds, *, now: datetime) -> int:
    """Close what nobody decided, carried out or asked again in time."""
    states = (ApprovalState.WAITING, ApprovalState.FAILED, ApprovalState.CHANGED)
    due = _due(kind__in=list(deeds), state__in=states, expires_at__lte=now)
    return sum(_expire(one, deeds[one.kind], now) for one in due)


def _expire(request: ApprovalRequest, deed: Deed, now: datetime) -> bool:
    by = actors.system(request.organization, request.public_id)
    with actors.scope_for(by):
        found = moving.locked(request, by)
        open_still = found.is_open and found.state != ApprovalState.APPROVED
        if not open_still or found.expires_at > now:
            return False
        if result := deed.done(found):  # by a process that died before it could say so
            carrying.finished(found, result, by, now)
            return True
        moving.move(found, ApprovalState.EXPIRED, because="Nobody decided in time.", now=now)
        deed.ended(found, now)
        telling.requester(found, "approval.expired", now)
    return True


def remind(*, now: datetime) -> int:
    """Tell those whose turn it is again, some days after it was asked for."""
    told = 0
    for number, after in enumerate(REMIND_AFTER):
        due = _due(
            state=ApprovalState.WAITING,
            state_since__lte=now - after,
            expires_at__gt=now,
            reminders__lte=number,
        )
        told += sum(_remind(one, number + 1, now) for one in due)
    return told


def _remind(request: ApprovalRequest, number: int, now: datetime) -> bool:
    by = actors.system(request.organization, request.public_id)
    with actors.scope_for(by):
        found = moving.locked(request, by)
        if found.state != ApprovalState.WAITING or found.reminders >= number:
            return False
        due = [n for n, after in enumerate(REMIND_AFTER, 1) if found.state_since + after <= now]
        found.reminders = max(due)
        found.save(update_fields=["reminders"])
        members = Members(found.organization, now=now)
        telling.waiting(found, moving.chain_of(found), members, now, again=True)
    return True


def carry_on(deeds: Deeds, *, now: datetime) -> int:
    """Carry out what stayed approved because a process died; its failure is shown as any."""
    done = 0
    due = _due(
        kind__in=list(deeds), state=ApprovalState.APPROVED, state_since__lte=now - LEFT_ALONE
    )
    for one in due:
        by = actors.system(one.organization, one.public_id)
        try:
            after = carrying.carry_out(request=one, deed=deeds[one.kind], by=by, now=now)
        except DatabaseError:
            log.exception("approval.carry_on_failed", request=one.public_id)
            continue
        done += after.state != ApprovalState.APPROVED
    return done
