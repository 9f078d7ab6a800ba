"""State is moved, not set: the old state stands in the WHERE clause, a move row says because."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.jobs.models import JOB_ARROWS, Job, JobMove


class NoSuchMove(Exception):
    """This state does not lead there. Nothing was changed."""


def move(job: Job, to_state: str, *, because: str, now: datetime, **seen: Any) -> bool:
    """Move ``job`` from the state it was loaded with; ``seen`` are columns to set with it.

    False if somebody else moved it first: then nothing was changed. ``NoSuchMove`` if there is no
    such arrow.
    """
    if (job.state, to_state) not in JOB_ARROWS:
        raise NoSuchMove(f"{job.public_id}: {job.state} → {to_state}")
    because = because[:300]
    moved = Job.objects.filter(pk=job.pk, state=job.state).update(
        state=to_state, because=because, due_at=now, **seen
    )
    if not moved:
        return False
    JobMove.objects.create(
        organization_id=job.organization_id,
        job=job,
        from_state=job.state,
        to_state=to_state,
        because=because,
        at=now,
    )
    job.state, job.because = to_state, because
    for name, value in seen.items():
        setattr(job, name, value)
    return True
