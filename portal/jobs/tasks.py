"""Doors for the workers: jobs that are due, one job's slice, files that are too old."""

from celery import shared_task
from django.utils import timezone

from portal.jobs import files, running, sweeping


@shared_task
def sweep() -> None:
    """Nudge a worker for each job that is due and that nobody has."""
    sweeping.nudge_due(now=timezone.now())


@shared_task
def run(organization_id: int, job_id: int) -> None:
    """One slice of a job; then the next one, if there is room."""
    if running.run(organization_id, job_id, clock=timezone.now):
        run.apply_async(kwargs={"organization_id": organization_id, "job_id": job_id}, retry=False)


@shared_task
def sweep_files() -> None:
    """Delete the content of files that are kept no longer."""
    files.sweep(now=timezone.now())
    files.sweep_strays(now=timezone.now())
