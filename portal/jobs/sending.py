"""One line to the gateway, as any client sends a request: the only module that speaks to it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import httpx2
from django.conf import settings

from portal.jobs.models import Job
from portal.jobs.outcomes import Answer
from portal.lib import passes
from portal.lib.passes import Pass
from portal.lib.trust import trusted

WHOLE_SECONDS = 620.0  # longer than the gateway gives a request
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 20 << 20


class Sender:
    """Connections of one worker's slice. Safe to use from several threads."""

    def __init__(self, job: Job, *, most: int) -> None:
        self._job = job
        timeout = httpx2.Timeout(WHOLE_SECONDS, connect=CONNECT_SECONDS)
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
        self._client = httpx2.Client(
            base_url=settings.DURE_JOBS_GATEWAY_URL,
            timeout=timeout,
            limits=limits,
            verify=trusted(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def send(self, body: bytes, *, line: int, run: int, free: bool) -> Answer:
        """``Answer`` of status 0 if there was none, or not all of one."""
        key = self._job.key
        allowed = Pass(
            self._job.organization.code, key.sha256, key.mode, int(time.time()), free=free
        )
        headers = {
            "authorization": "Bearer " + passes.write(allowed, settings.DURE_SEAL_KEYS),
            "content-type": "application/json",
            "idempotency-key": f"{self._job.public_id}:{line}:{run}",
        }
        try:
            answer = self._client.post(self._job.url, content=body, headers=headers)
        except httpx2.HTTPError:
            return Answer(0)
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, answer.content[:ANSWER_BYTES], found)
