"""``python -m portal.routing``: the publisher. Looks twice a second, for ever, and as soon as a
route or a key has changed."""

from __future__ import annotations

import os
import signal
import time

import django
import structlog

PERIOD_SECONDS = 0.4
RESTS = 2  # times as long as a look took: where there is much to look at, it is no core's only work
LEAST_PAUSE = 0.05
LONGEST_PAUSE = 1.0  # after a loss nobody is admitted before the next look

log = structlog.get_logger()


def rest(pause: float, took: float, *, failed: bool) -> float:
    """Seconds until the next look, if nobody rings. A look that failed may have waited for a store
    that hangs: the next one is due at once, for until then nobody is admitted."""
    share = 0.0 if failed else min(RESTS * took, LONGEST_PAUSE)
    return max(LEAST_PAUSE, pause - took, share)


def main() -> None:
    """Publish until a signal; a store that is down is waited for."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

    from django.conf import settings
    from django.db import DatabaseError, close_old_connections
    from django.utils import timezone

    from portal.admission.calls import AdmissionUnavailable, Refused
    from portal.admission.sync import Admission, connect
    from portal.routing.bell import Bell
    from portal.routing.publish import Publisher

    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    publisher = Publisher(Admission(connect(settings.VALKEY_URL, timeout_seconds=2.0)))
    bell, pause = Bell(), PERIOD_SECONDS
    while not stopping:
        began, failed = time.monotonic(), False
        try:
            publisher.turn(now=timezone.now())
            pause = PERIOD_SECONDS
        except (AdmissionUnavailable, Refused, DatabaseError) as error:
            log.warning("publisher.waiting", error=f"{type(error).__name__}: {error}"[:200])
            close_old_connections()
            failed = True
            pause = min(pause * 2, LONGEST_PAUSE)
        left = rest(pause, time.monotonic() - began, failed=failed)
        time.sleep(LEAST_PAUSE)  # many changes at once are one look
        bell.wait(left - LEAST_PAUSE)


if __name__ == "__main__":
    main()
