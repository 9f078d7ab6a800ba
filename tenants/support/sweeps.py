"""What happens by itself: solved requests are closed after 14 days, overdue ones announced once."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import DatabaseError, transaction

from tenants import actors, audit, rls
from tenants.models import SupportRequest
from tenants.support import moves, telling
from tenants.support.words import REOPENED_WITHIN, UNANSWERED, RequestState

log = structlog.get_logger()
BATCH = 500


def close_solved(*, now: datetime) -> int:
    """Close what was solved 14 days ago; how many. One that fails does not stop the others."""
    with rls.everyone(because="sweep: requests of all organizations that were solved long ago"):
        due = SupportRequest.objects.filter(
            state=RequestState.SOLVED, moved_at__lte=now - REOPENED_WITHIN
        )
        found = list(due.select_related("organization").order_by("moved_at")[:BATCH])
    return sum(_close(request, now) for request in found)


def _close(request: SupportRequest, now: datetime) -> bool:
    organization = request.organization
    try:
        with rls.tenant(organization.pk), transaction.atomic():
            moves.move(request, RequestState.CLOSED, because=moves.LAPSED, by=moves.SWEEP, now=now)
            system = actors.system(organization, "support")
            audit.record("support.close", by=system, now=now, subject=request.public_id)
    except moves.MovedMeanwhile:
        return False
    except DatabaseError:
        log.exception("support.not_closed", request=request.public_id)
        return False
    return True


def announce_overdue(*, now: datetime) -> int:
    """Tell the staff, once each, of requests whose first answer is owed; how many."""
    with rls.everyone(because="sweep: requests of all organizations that nobody answered in time"):
        due = SupportRequest.objects.filter(
            state__in=UNANSWERED, answered_at=None, due_at__lte=now, told_overdue_at=None
        )
        found = list(due.select_related("organization").order_by("due_at")[:BATCH])
        told = 0
        for request in found:
            first = SupportRequest.objects.filter(pk=request.pk, told_overdue_at=None)
            if first.update(told_overdue_at=now):
                telling.staff("support.overdue", request, now=now)
                told += 1
    return told
