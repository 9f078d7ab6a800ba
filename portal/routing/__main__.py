"""``python -m portal.routing``: the publisher. Looks twice a second, for ever."""

from __future__ import annotations

import os
import signal
import time

import django
import structlog

PERIOD_SECONDS = 0.4
LONGEST_PAUSE = 1.0  # after a loss nobody is admitted before the next look

log = structlog.get_logger()


def main() -> None:
    """Publish until a signal; a store that is down is waited for."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

    from django.conf import settings
    from django.db import DatabaseError, close_old_connections
    from django.utils import timezone

    from portal.admission.calls import AdmissionUnavailable, Refused
    from portal.admission.sync import Admission, connect
    from portal.routing.publish import Publisher

    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    publisher = Publisher(Admission(connect(settings.VALKEY_URL, timeout_seconds=2.0)))
    pause = PERIOD_SECONDS
    while not stopping:
        began = time.monotonic()
        try:
            publisher.turn(now=timezone.now())
            pause = PERIOD_SECONDS
        except (AdmissionUnavailable, Refused, DatabaseError) as error:
            log.warning("publisher.waiting", error=f"{type(error).__name__}: {error}"[:200])
            close_old_connections()
            pause = min(pause * 2, LONGEST_PAUSE)
        time.sleep(max(0.05, pause - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
