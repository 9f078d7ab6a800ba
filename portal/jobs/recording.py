"""What came of lines, written down in one transaction before the gateway may forget the answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from billing.budgets import admission
from portal.admission.calls import AdmissionUnavailable
from portal.jobs.models import Job, JobLine, LineState
from portal.jobs.outcomes import Again, Done, Outcome
from portal.lib.sealing import seal_bytes, unseal_bytes
from tenants import rls

WAITS = ("", "room", "budget", "gateway")  # why a job makes no progress; the page has the words


def _bound(row: JobLine) -> bytes:
    return f"job line {row.job_id} {row.number}".encode()


def sealed(row: JobLine, body: bytes) -> bytes:
    """A result as it is kept until it stands in the file."""
    return seal_bytes(body, settings.DURE_SEAL_KEYS, _bound(row))


def opened(row: JobLine) -> bytes:
    """The result again; empty if there is none. ``SealBroken``."""
    if row.result is None:
        return b""
    return unseal_bytes(bytes(row.result), settings.DURE_SEAL_KEYS, _bound(row))


def waiting_micro(job: Job) -> int:
    """What the lines that wait may cost."""
    rows = JobLine.objects.filter(job=job, state=LineState.WAITING)
    return int(rows.aggregate(all=Sum("worst_micro"))["all"] or 0)


def record(
    job: Job, outcomes: Sequence[tuple[JobLine, Outcome]], *, now: datetime
) -> datetime | None:
    """Write it down. Until when the whole job had better wait, if it had."""
    done, pause, because = [], None, ""
    with rls.tenant(job.organization_id), transaction.atomic():
        for row, outcome in outcomes:
            if isinstance(outcome, Done):
                done.append(outcome)
                _done(job, row, outcome)
            elif isinstance(outcome, Again):
                due = now + timedelta(seconds=outcome.seconds)
                _again(row, outcome, due)
                if outcome.everybody:
                    pause, because = max(due, pause or due), outcome.because
        waits = {"waits_because": because} if because else {}
        if done and not because:
            waits = {"waits_because": ""}
        if waits:
            Job.objects.filter(pk=job.pk).update(**waits)
    forget(job, [one.request_id for one in done if one.status == 200 and one.request_id])
    return pause


def _done(job: Job, row: JobLine, outcome: Done) -> None:
    """Once: of a line that somebody else has ended nothing is changed."""
    good = outcome.status == 200
    ended = JobLine.objects.filter(pk=row.pk, state=LineState.WAITING).update(
        state=LineState.DONE if good else LineState.FAILED,
        status=outcome.status,
        result=sealed(row, outcome.body),
        request_ids=[*row.request_ids, outcome.request_id],
        cost_micro=outcome.cost_micro,
    )
    if ended:
        Job.objects.filter(pk=job.pk).update(
            done=F("done") + int(good),
            failed=F("failed") + int(not good),
            spent_micro=F("spent_micro") + outcome.cost_micro,
        )


def _again(row: JobLine, outcome: Again, due: datetime) -> None:
    seen = [outcome.request_id] if outcome.request_id else []
    JobLine.objects.filter(pk=row.pk, state=LineState.WAITING).update(
        run=outcome.run,
        free=outcome.free,
        tries=outcome.tries,
        doubted_at=outcome.doubted_at,
        due_at=due,
        request_ids=[*row.request_ids, *seen],
    )


def forget(job: Job, request_ids: Sequence[str]) -> None:
    """The answers are ours now. One that is not forgotten here is after a day."""
    if request_ids:
        try:
            admission().forget_answers(job.organization.code, request_ids)
        except AdmissionUnavailable:
            return
