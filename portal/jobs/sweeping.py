"""Jobs that are due: a lost nudge, a lapsed lease, a pause that is over."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from portal.jobs.models import Job
from portal.lib.wake import wake
from tenants import rls

AT_ONCE = 100


def nudge_due(*, now: datetime) -> int:
    """How many. One that is nudged twice is run once: its lease decides."""
    with rls.everyone(because="sweep: which jobs are due?"):
        free = Q(lease_until=None) | Q(lease_until__lte=now)
        rows = Job.objects.open().filter(free, due_at__lte=now).order_by("due_at")
        due = list(rows.values_list("organization_id", "pk")[:AT_ONCE])
    for organization_id, job_id in due:
        wake("portal.jobs.tasks.run", organization_id=organization_id, job_id=job_id)
    return len(due)
