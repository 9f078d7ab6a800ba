"""A file of jobs as an answer, for pages and for programs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from portal.jobs import files
from portal.jobs.models import JobFile
from tenants import actors, audit
from tenants.actors import Actor


class Pieces(StreamingHttpResponse):
    """An answer out of an ordinary iterator, piece by piece under ASGI too: Django would read all
    of it first."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self.streaming_content)  # type: ignore[arg-type]
        following = sync_to_async(lambda: next(pieces, None))
        while (piece := await following()) is not None:
            yield piece


def attachment(row: JobFile, by: Actor, *, now: datetime) -> HttpResponseBase:
    """What stands in the file; noted in the audit log. It is the organization's own data, so only
    those who may run jobs get it. ``storage.FileLost`` before the first byte, if it is gone."""
    by.require("jobs.create")
    content = files.content(row)
    first = next(content, b"")
    with actors.scope_for(by):
        audit.record("job_file.read", by=by, now=now, subject=row.public_id)

    def pieces() -> Iterator[bytes]:
        yield first
        yield from content

    answer = Pieces(pieces(), content_type="application/jsonl")
    answer["Content-Length"] = str(row.bytes)
    answer["Content-Disposition"] = content_disposition_header(True, row.name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer
