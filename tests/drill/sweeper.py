"""``python -m tests.drill.sweeper daegu-1``: what a worker does for money, each second: orders are
committed again, lost holds of orders found, the named site reported."""

from __future__ import annotations

import os
import sys
import time

import django


def main(site: str) -> None:
    """Until it is killed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

    from django.db import DatabaseError, close_old_connections
    from django.utils import timezone

    from portal.deployments.actions import commitments
    from tests.drill.engine import report

    while True:
        report(site)
        try:
            commitments.repair(now=timezone.now())
        except DatabaseError:
            close_old_connections()
        time.sleep(1.0)


if __name__ == "__main__":
    main(sys.argv[1])
