"""Nudge a worker after commit. A lost nudge is harmless: a sweep finds the row anyway.

So a nudge that nobody took in time expires: a worker that comes back after an hour begins with what
is wanted now, not with a queue of what was wanted then.
"""

import structlog
from django.db import transaction

from portal.celery import app  # it has the queues; a process that knows it not has Celery's default

log = structlog.get_logger()

MINUTE, HOUR = 60, 3600


def wake(task: str, *, lasts: int = MINUTE, after: float = 0, **arguments: object) -> None:
    """Send ``task`` (its dotted name) once the current transaction has committed. It is of use for
    ``lasts`` seconds: at least as long as the sweep takes to come by that does the same. A worker
    begins with it ``after`` so many seconds.

    A broker that is down costs a log line and a few seconds of delay, never the action.
    """

    def send() -> None:
        try:
            app.send_task(
                task, kwargs=arguments, expires=lasts, countdown=after or None, retry=False
            )
        except (OSError, app.connection().connection_errors) as error:  # type: ignore[misc]
            log.warning("wake.lost", task=task, error=type(error).__name__)

    transaction.on_commit(send, robust=True)
