"""Files of jobs: kept after their lines were read, given back, deleted.

Uploading opens its own short transactions: nothing waits for a client inside one. What a crash
leaves in the storage without a row is removed by ``sweep``, as is what is too old.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import batched

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum

from portal.jobs import grants
from portal.jobs.models import Job, JobFile, JobLine, Purpose
from portal.jobs.reading import MOST_BYTES, Reader
from portal.jobs.refusals import BadFile, FileInUse, FileTooLarge, NoRoom
from portal.jobs.storage import storage
from portal.lib import ids
from tenants import actors, audit, quotas, rls
from tenants.actors import Actor
from tenants.models import Organization, Project

MEGABYTE = 1_000_000
STRAY = timedelta(days=1)  # no upload and no writing takes so long
AT_ONCE = 200  # files that one sweep removes


def lasting(now: datetime) -> datetime:
    """Until when a file of now is kept."""
    return now + timedelta(days=settings.DURE_JOBS_FILE_DAYS)


def upload(
    pieces: Iterable[bytes], *, name: str, project: Project, by: Actor, now: datetime
) -> JobFile:
    """Keep an input file, if every line of it can be run. ``BadFile``, ``FileTooLarge``,
    ``NoRoom``: then nothing is kept."""
    by.require("jobs.create")
    with actors.scope_for(by):
        _require_room(by.organization, 0)
    public_id = ids.mint("file")
    reader = Reader(allowed=grants.kinds_of(by.key, by.organization))
    digest = hashlib.sha256()
    kept = storage()
    with kept.writing(public_id) as file:
        for piece in pieces:
            if reader.size + len(piece) > MOST_BYTES:
                raise FileTooLarge
            for _line in reader.feed(piece):
                pass
            digest.update(piece)
            file.write(piece)
        for _line in reader.close():
            pass
        if reader.faults:
            raise BadFile(reader.faults, reader.fault_count)
    try:
        return _row(public_id, reader, digest.hexdigest(), _tidy(name), project, by, now)
    except BaseException:
        kept.remove(public_id)
        raise


def _row(
    public_id: str,
    reader: Reader,
    sha256: str,
    name: str,
    project: Project,
    by: Actor,
    now: datetime,
) -> JobFile:
    with actors.scope_for(by), transaction.atomic():
        _require_room(by.organization, reader.size)
        row = JobFile.objects.create(
            public_id=public_id,
            organization=by.organization,
            project=project,
            purpose=Purpose.INPUT,
            name=name,
            bytes=reader.size,
            lines=reader.count,
            url=next(iter(reader.urls)),
            model_names=sorted(reader.models),
            sha256=sha256,
            created_at=now,
            created_by=by.label,
            expires_at=lasting(now),
        )
        audit.record(
            "job_file.upload",
            by=by,
            now=now,
            subject=row.public_id,
            changes={"bytes": row.bytes, "lines": row.lines, "project": project.public_id},
        )
    return row


def _tidy(name: str) -> str:
    """Without folders, control and direction marks."""
    text = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    text = "".join(one for one in text if unicodedata.category(one)[0] != "C").strip()
    return text[:120] or "input.jsonl"


def _require_room(organization: Organization, size: int) -> None:
    most = quotas.most(organization, "job_megabytes")
    rows = JobFile.objects.filter(organization=organization).there()
    kept = rows.aggregate(all=Sum("bytes"))["all"] or 0
    if kept + size > most * MEGABYTE:
        raise NoRoom(most)


def content(row: JobFile) -> Iterator[bytes]:
    """Its bytes. ``storage.FileLost``."""
    return storage().read(row.public_id)


def delete(*, row: JobFile, by: Actor, now: datetime) -> None:
    """Its content is gone at once; the row says that it was there. ``FileInUse``."""
    by.require("jobs.create")
    with actors.scope_for(by), transaction.atomic():
        locked = JobFile.objects.visible_to(by).select_for_update().get(pk=row.pk)
        if Job.objects.open().filter(input_file=locked).exists():
            raise FileInUse
        if locked.deleted_at is None:
            locked.deleted_at = now
            locked.save(update_fields=["deleted_at"])
            audit.record("job_file.delete", by=by, now=now, subject=locked.public_id)
    storage().remove(row.public_id)


def sweep_strays(*, now: datetime) -> int:
    """Remove what a process left in the storage when it died before its row; how many files."""
    count = 0
    for some in batched(storage().older(now - STRAY), AT_ONCE):
        with rls.everyone(because="sweep: which files of the storage have a row?"):
            rows = JobFile.objects.there().filter(public_id__in=some)
            known = set(rows.values_list("public_id", flat=True))
        for name in set(some) - known:
            storage().remove(name)
            count += 1
    return count


def sweep(*, now: datetime) -> int:
    """Remove what is too old, and the lines of jobs whose files are; how many files. Files that
    an open job reads wait for its end."""
    with rls.everyone(because="sweep: files of jobs that are kept no longer"):
        rows = JobFile.objects.there().filter(expires_at__lte=now)
        busy = Job.objects.open().values("input_file")
        old = list(rows.exclude(pk__in=busy).order_by("pk")[:AT_ONCE])
    for row in old:
        storage().remove(row.public_id)  # the row is changed after it, so that a crash repeats this
        with rls.tenant(row.organization_id), transaction.atomic():
            JobFile.objects.filter(pk=row.pk, deleted_at=None).update(deleted_at=now)
            of_job = Q(input_file=row) | Q(output_file=row) | Q(error_file=row)
            ended = Job.objects.filter(of_job).exclude(pk__in=Job.objects.open())
            JobLine.objects.filter(job__in=ended).delete()
    return len(old)
