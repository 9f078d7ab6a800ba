"""``python -m tests.drill.job_worker``: what a worker does for jobs, until it is killed."""

from __future__ import annotations

import os
import time

import django

PAUSE_SECONDS = 0.2


def main() -> None:
    """Each job that is due, slice after slice."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

    from datetime import timedelta

    from django.utils import timezone

    from portal.jobs import running
    from portal.jobs.models import Job
    from tenants import rls

    running.LEASE = timedelta(seconds=4)  # so that a drill need not wait for long
    running.RENEW_SECONDS = 1.0
    print("ready", flush=True)
    while True:
        with rls.everyone(because="drill"):
            rows = Job.objects.open().filter(due_at__lte=timezone.now())
            due = list(rows.values_list("organization_id", "pk"))
        for organization_id, job_id in due:
            running.run(organization_id, job_id, clock=timezone.now)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
