"""The end of a job: its files written, its money freed. Repeating it after a crash writes the same
files under the same names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F

from portal.jobs import files, money, recording, states, words
from portal.jobs.models import Job, JobFile, JobLine, JobState, LineState, Purpose
from portal.jobs.storage import storage
from tenants import rls

AT_ONCE = 500

_NOT_RUN = {
    JobState.EXPIRED: ("batch_expired", "The job's 24 hours were over before this line was run."),
    JobState.CANCELLED: ("batch_cancelled", "The job was cancelled before this line was run."),
}


def finish(job: Job, *, now: datetime) -> None:
    """Write what there is, and move the job to where it goes."""
    ending = JobState.CANCELLED if job.state == JobState.CANCELLING else JobState(job.ends_as)
    _give_up(job)
    output = _write(job, "o", LineState.DONE, lambda row: _answered(job, row))
    errors = _write(job, "e", LineState.FAILED, lambda row: _failed(job, row, ending))
    with rls.tenant(job.organization_id), transaction.atomic():
        seen = {
            "output_file": _row(job, output, "output", now),
            "error_file": _row(job, errors, "errors", now),
        }
        if states.move(job, ending, because=words.WRITTEN, now=now, **seen):
            JobLine.objects.filter(job=job).update(result=None)
    _forget_answers(job)
    money.end(job)


def _forget_answers(job: Job) -> None:
    """All of them once more: a gateway keeps an answer a moment after it gave it, and a worker may
    have died before it said that it has it."""
    with rls.tenant(job.organization_id):
        rows = JobLine.objects.filter(job=job).values_list("request_ids", flat=True)
        known = [one for some in rows for one in some if one]
    for some in batched(known, AT_ONCE):
        recording.forget(job, some)


def _give_up(job: Job) -> None:
    """Lines that still wait will never run."""
    with rls.tenant(job.organization_id), transaction.atomic():
        rows = JobLine.objects.filter(job=job, state=LineState.WAITING)
        if given_up := rows.update(state=LineState.FAILED):
            Job.objects.filter(pk=job.pk).update(failed=F("failed") + given_up)


@dataclass(frozen=True, slots=True)
class _Written:
    public_id: str
    lines: int
    bytes: int
    sha256: str


def _write(
    job: Job, ending: str, state: LineState, told: Callable[[JobLine], dict[str, Any]]
) -> _Written | None:
    """One file of all lines in this state; ``None`` if there are none."""
    public_id = f"file_{job.public_id.partition('_')[2]}{ending}"
    count, size, digest = 0, 0, hashlib.sha256()
    with storage().writing(public_id) as file:
        for row in _lines(job, state):
            text = msgspec.json.encode(told(row)) + b"\n"
            file.write(text)
            digest.update(text)
            count, size = count + 1, size + len(text)
    if not count:
        storage().remove(public_id)
        return None
    return _Written(public_id, count, size, digest.hexdigest())


def _lines(job: Job, state: LineState) -> Iterable[JobLine]:
    """In the order of the file, some at a time."""
    last = 0
    while True:
        with rls.tenant(job.organization_id):
            rows = JobLine.objects.filter(job=job, state=state, number__gt=last)
            some = list(rows.order_by("number")[:AT_ONCE])
        yield from some
        if len(some) < AT_ONCE:
            return
        last = some[-1].number


def _base(job: Job, row: JobLine) -> dict[str, Any]:
    name = f"batch_req_{job.public_id.partition('_')[2]}_{row.number}"
    return {"id": name, "custom_id": row.custom_id}


def _answered(job: Job, row: JobLine) -> dict[str, Any]:
    response = {
        "status_code": row.status,
        "request_id": row.request_ids[-1] if row.request_ids else None,
        "body": _json(recording.opened(row)),
    }
    return _base(job, row) | {"response": response, "error": None}


def _failed(job: Job, row: JobLine, ending: JobState) -> dict[str, Any]:
    if row.status:
        return _answered(job, row)  # the gateway's refusal is its body, as OpenAI has it
    code, message = _NOT_RUN.get(ending, ("not_run", "This line was not run."))
    return _base(job, row) | {"response": None, "error": {"code": code, "message": message}}


def _json(body: bytes) -> msgspec.Raw | None:
    """As it came; what is no JSON (a proxy's page) is left out."""
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(body)


def _row(job: Job, written: _Written | None, what: str, now: datetime) -> JobFile | None:
    if written is None:
        return None
    row, _made = JobFile.objects.update_or_create(
        public_id=written.public_id,
        defaults={
            "organization": job.organization,
            "project": job.project,
            "purpose": Purpose.OUTPUT,
            "name": f"{job.public_id}_{what}.jsonl",
            "bytes": written.bytes,
            "lines": written.lines,
            "sha256": written.sha256,
            "created_at": now,
            "created_by": job.created_by,
            "expires_at": files.lasting(now),
        },
    )
    return row
