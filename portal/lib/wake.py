"""Nudge a worker after commit. A lost nudge is harmless: a sweep finds the row anyway."""

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger()


def wake(task: str, **arguments: object) -> None:
    """Send ``task`` (its dotted name) once the current transaction has committed.

    A broker that is down costs a log line and a few seconds of delay, never the action.
    """

    def send() -> None:
        try:
            current_app.send_task(task, kwargs=arguments, retry=False)
        except (OSError, current_app.connection().connection_errors) as error:  # type: ignore[misc]
            log.warning("wake.lost", task=task, error=type(error).__name__)

    transaction.on_commit(send, robust=True)
