"""From a file to a job that may run: each line read and priced, the whole within the budget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from django.db import transaction

from billing import budgets
from portal.jobs import grants, money, states, words
from portal.jobs.models import Job, JobLine, JobState
from portal.jobs.reading import Fault, Line, Reader
from portal.jobs.storage import FileLost, storage
from portal.lib.periods import Month
from tenants import rls

AT_ONCE = 2_000  # rows of one transaction
PATIENCE = timedelta(minutes=2)  # for what passes: counters away, a key not told yet


class _Broken(Exception):
    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults


class _Later(Exception):
    """Nobody can say at the moment."""


def validate(job: Job, *, now: datetime) -> None:
    """Move the job on, to ``in_progress`` or ``failed``; or leave it for the next look. Repeating
    it after a crash begins from the beginning."""
    if now >= job.expires_at:
        _fail(job, [Fault("batch_expired", "Nobody could look at it for a day.")], now)
        return
    try:
        estimate, count = _lines(job, now)
        _begin(job, estimate, count, now)
    except _Broken as broken:
        _fail(job, broken.faults, now)
    except _Later:
        if now - job.created_at < PATIENCE:
            return
        _fail(job, [Fault("service_unavailable", "The job could not be priced. Try again.")], now)


def _lines(job: Job, now: datetime) -> tuple[int, int]:
    """Write down all lines. What they may cost together, in micro-won; and how many they are."""
    try:
        grant = grants.grant_of(job.key, job.organization)
    except grants.CountersAway:
        raise _Later from None
    if grant is None:
        if job.key.state_at(now) == "live":
            raise _Later  # the gateway hears of new keys within a second
        raise _Broken(Fault("invalid_api_key", "The API key of the job is no longer valid."))
    of_models = money.bounds()
    reader = Reader(allowed={name: one.kind for name, one in grant.models.items()})
    worst = 0
    with rls.tenant(job.organization_id):
        JobLine.objects.filter(job=job).delete()
    for some in batched(_read(job, reader), AT_ONCE):
        rows = []
        for one in some:
            model = grant.models[one.model]
            rows.append(_row(job, one, money.worst_micro(one, model, of_models[model.model]), now))
        worst += sum(row.worst_micro for row in rows)
        with rls.tenant(job.organization_id):
            JobLine.objects.bulk_create(rows)
    if reader.faults:
        raise _Broken(*reader.faults)
    return worst, reader.count


def _read(job: Job, reader: Reader) -> Iterable[Line]:
    try:
        for piece in storage().read(job.input_file.public_id):
            yield from reader.feed(piece)
    except FileLost:
        raise _Broken(Fault("file_not_found", "The input file is not there any more.")) from None
    yield from reader.close()


def _row(job: Job, line: Line, worst: int, now: datetime) -> JobLine:
    return JobLine(
        organization_id=job.organization_id,
        job=job,
        number=line.number,
        custom_id=line.custom_id,
        offset=line.offset,
        length=line.length,
        worst_micro=worst,
        due_at=now,
    )


def _begin(job: Job, estimate: int, count: int, now: datetime) -> None:
    """Hold the money, write the rows, make the hold a commitment; as orders do."""
    month = Month.of(now)
    try:
        money.reserve(job, estimate, month)
    except budgets.BudgetExceeded as refused:
        raise _Broken(Fault("insufficient_quota", str(refused))) from None
    except budgets.CountersUnavailable:
        raise _Later from None
    row = None
    try:
        with rls.tenant(job.organization_id), transaction.atomic():
            if states.move(
                job,
                JobState.IN_PROGRESS,
                because=words.PRICED,
                now=now,
                total=count,
                estimate_micro=estimate,
            ):
                row = money.keep(job, estimate, month)
    except BaseException:
        money.free(job, month)
        raise
    if row is None:  # cancelled meanwhile
        money.free(job, month)
    else:
        money.tell(job, row)


def _fail(job: Job, faults: Iterable[Fault], now: datetime) -> None:
    errors: list[dict[str, Any]] = [{**asdict(one), "line": one.line or None} for one in faults]
    with rls.tenant(job.organization_id), transaction.atomic():
        JobLine.objects.filter(job=job).delete()
        states.move(job, JobState.FAILED, because=errors[0]["message"], now=now, errors=errors)
