"""Pages of jobs: bob's, which waits to be priced."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from portal.jobs import batches, files
from portal.jobs.models import Job, JobFile
from portal.lib import ids
from tenants import rls
from tests.factories import NOON
from tests.jobs.conftest import a_file, a_line
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row

LINES = a_file(a_line(1), a_line(2))


def a_kept_file(world: World) -> JobFile:
    """The first that no job reads; a new one where it was deleted."""
    with rls.tenant(world.cast.firm.pk):
        busy = Job.objects.values("input_file")
        found = JobFile.objects.there().exclude(pk__in=busy).first()
    project, by = world.cast.project, world.cast.bob.may
    return found or files.upload([LINES], name="in.jsonl", project=project, by=by, now=NOON)


def a_job(world: World) -> Job:
    """That has not ended."""
    with rls.tenant(world.cast.firm.pk):
        found = Job.objects.open().first()
    if found is not None:
        return found
    wish = batches.Wish(input_file=a_kept_file(world), key=world.key)
    return batches.create(wish=wish, by=world.cast.bob.may, now=NOON)


def job_id(world: World) -> dict[str, Any]:
    return {"public_id": a_job(world).public_id}


def file_id(world: World) -> dict[str, Any]:
    return {"public_id": a_kept_file(world).public_id}


def an_upload(world: World) -> dict[str, Any]:
    return {
        "file": SimpleUploadedFile("in.jsonl", LINES),
        "key": world.key.public_id,
        "idempotency_key": ids.mint("idem"),
    }


ONE = "sign-in found-one 200 200 200 200 404 404"
DEED = "sign-in found-one away away 403 403 404 404"
ROWS = [
    Row("jobs", "GET", MEMBERS),
    Row("job_new", "GET", "sign-in found-one 200 200 403 403 200 200"),
    Row("job_new", "POST", "sign-in found-one away away 403 403 422 422", body=an_upload),
    Row("job", "GET", ONE, job_id),
    Row("job_progress", "GET", ONE, job_id),
    Row("job_cancel", "POST", DEED, job_id),
    Row("job_file", "GET", "sign-in found-one 200 200 403 403 404 404", file_id),
    Row("job_file_delete", "POST", DEED, file_id),
]
