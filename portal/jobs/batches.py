"""Jobs as their owners see them: created, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from portal.jobs import grants, states, words
from portal.jobs.models import JOB_ARROWS, Job, JobFile, JobMove, JobState, Purpose
from portal.jobs.refusals import (
    HasEnded,
    KeyCannot,
    ModelNotFound,
    NotAnInput,
    OtherRequest,
    TooManyJobs,
    WrongAddress,
)
from portal.lib import ids
from portal.lib.wake import wake
from tenants import actors, audit, quotas, standing
from tenants.actors import Actor
from tenants.models import ApiKey
from tenants.scopes import Scope

WINDOW = timedelta(hours=24)  # as long as an Idempotency-Key is remembered at the gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A job as it was asked for. ``url`` empty: that of the file."""

    input_file: JobFile
    key: ApiKey
    url: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str = ""


def create(*, wish: Wish, by: Actor, now: datetime) -> Job:
    """Note the job and nudge a worker, who prices it and sets its money aside before any line
    runs. The same ``idempotency_key`` again gives the same job.

    ``NotAnInput``, ``WrongAddress``, ``KeyCannot``, ``ModelNotFound``, ``TooManyJobs``,
    ``OtherRequest``, ``standing.OrderingClosed``.
    """
    by.require("jobs.create")
    with actors.scope_for(by):
        before = _before(wish, by)
        if before is not None:
            return before
        standing.require_ordering(by.organization)
        _check(wish, now)
    _check_models(wish, by)
    try:
        with actors.scope_for(by), transaction.atomic():
            _require_room(by)
            return _row(wish, by, now)
    except IntegrityError:
        with actors.scope_for(by):
            twin = _before(wish, by)
        if twin is None:
            raise
        return twin


def _before(wish: Wish, by: Actor) -> Job | None:
    if not wish.idempotency_key:
        return None
    # A key is the organization's: the job may be in a project that the actor does not see.
    rows = Job.objects.filter(organization=by.organization)
    rows = rows.select_related("input_file", "output_file", "error_file")
    found = rows.filter(idempotency_key=wish.idempotency_key).first()
    if found is not None and (found.input_file, found.key_id) != (wish.input_file, wish.key.pk):
        raise OtherRequest
    return found


def _check(wish: Wish, now: datetime) -> None:
    row, key = wish.input_file, wish.key
    if row.purpose != Purpose.INPUT or row.deleted_at is not None:
        raise NotAnInput
    if wish.url and wish.url != row.url:
        raise WrongAddress
    if key.state_at(now) != "live" or Scope.INFERENCE not in key.scopes:
        raise KeyCannot
    if key.project_id != row.project_id:
        raise NotAnInput


def _check_models(wish: Wish, by: Actor) -> None:
    """What is known at once is said at once; the worker looks again at every line."""
    known = grants.kinds_of(wish.key, by.organization)
    for model in wish.input_file.model_names if known is not None else ():
        if known is not None and model not in known:
            raise ModelNotFound(model)


def _require_room(by: Actor) -> None:
    most = quotas.most(by.organization, "open_jobs")
    if Job.objects.filter(organization=by.organization).open().count() >= most:
        raise TooManyJobs(most)


def _row(wish: Wish, by: Actor, now: datetime) -> Job:
    job = Job.objects.create(
        public_id=ids.mint("batch"),
        organization=by.organization,
        project=wish.input_file.project,
        key=wish.key,
        input_file=wish.input_file,
        url=wish.input_file.url,
        metadata=dict(wish.metadata),
        idempotency_key=wish.idempotency_key,
        total=wish.input_file.lines,
        created_at=now,
        created_by=by.label,
        expires_at=now + WINDOW,
        due_at=now,
    )
    JobMove.objects.create(
        organization=by.organization,
        job=job,
        from_state="",
        to_state=job.state,
        because=words.READING,
        at=now,
    )
    audit.record(
        "job.create",
        by=by,
        now=now,
        subject=job.public_id,
        changes={"file": wish.input_file.public_id, "key": wish.key.public_id},
    )
    nudge(job)
    return job


def nudge(job: Job) -> None:
    """After the commit; a lost nudge is found by the sweep."""
    wake("portal.jobs.tasks.run", organization_id=job.organization_id, job_id=job.pk)


def cancel(*, job: Job, by: Actor, now: datetime) -> Job:
    """Begin nothing more of it. What runs ends, what has ended stays and is charged.
    ``HasEnded``; cancelling it again changes nothing."""
    by.require("jobs.create")
    with actors.scope_for(by), transaction.atomic():
        job = (
            Job.objects.visible_to(by)
            .select_for_update(of=["self"])
            .select_related("input_file", "output_file", "error_file")
            .get(pk=job.pk)
        )
        if job.state in (JobState.CANCELLING, JobState.CANCELLED):
            return job
        to = JobState.CANCELLED if job.state == JobState.VALIDATING else JobState.CANCELLING
        if (job.state, to) not in JOB_ARROWS:
            raise HasEnded
        states.move(job, to, because=words.CANCELLED, now=now)
        audit.record("job.cancel", by=by, now=now, subject=job.public_id)
        nudge(job)
    return job
