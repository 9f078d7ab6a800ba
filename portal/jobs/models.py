"""Jobs: many requests in one file, run when there is room. Files, jobs, their lines and moves."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from tenants.models import TenantQuerySet


class Purpose(models.TextChoices):
    INPUT = "batch"
    OUTPUT = "batch_output"  # answers, and the errors beside them


class OfProjectRow[M: models.Model](TenantQuerySet[M]):
    """Rows that point at their project."""

    project_path = "project__public_id"


class JobFileQuerySet(OfProjectRow["JobFile"]):
    def there(self) -> JobFileQuerySet:
        """Not deleted."""
        return self.filter(deleted_at=None)


class JobFile(models.Model):
    """One file of JSON lines. What stands in it is in the storage, under its public id."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.ForeignKey("tenants.Project", models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=16)
    name = models.CharField(max_length=120)
    bytes = models.BigIntegerField()
    lines = models.PositiveIntegerField()
    url = models.CharField(max_length=40, blank=True, help_text="Of all its requests.")
    model_names = ArrayField(models.CharField(max_length=128), default=list)
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=120)
    expires_at = models.DateTimeField(help_text="Its content is deleted then.")
    deleted_at = models.DateTimeField(null=True)

    objects = JobFileQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="job_file_org_id"),
            models.CheckConstraint(
                condition=Q(purpose__in=Purpose.values), name="job_file_purpose"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at"], condition=Q(deleted_at=None), name="job_file_expiring"
            )
        ]

    def __str__(self) -> str:
        return self.public_id


class JobState(models.TextChoices):
    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


# The arrows of a job. ``finalizing`` writes the files; what it becomes then is ``ends_as``.
JOB_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("validating", "failed"),
        ("validating", "in_progress"),
        ("validating", "cancelled"),
        ("in_progress", "finalizing"),
        ("in_progress", "cancelling"),
        ("cancelling", "cancelled"),
        ("finalizing", "completed"),
        ("finalizing", "expired"),
    }
)
OPEN = ("validating", "in_progress", "finalizing", "cancelling")


class JobQuerySet(OfProjectRow["Job"]):
    def open(self) -> JobQuerySet:
        """Not ended."""
        return self.filter(state__in=OPEN)


class Job(models.Model):
    """The requests of one file, sent one by one under one API key."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.ForeignKey("tenants.Project", models.PROTECT, related_name="+")
    key = models.ForeignKey("tenants.ApiKey", models.PROTECT, related_name="+")
    input_file = models.ForeignKey(JobFile, models.PROTECT, related_name="+")
    output_file = models.ForeignKey(JobFile, models.PROTECT, related_name="+", null=True)
    error_file = models.ForeignKey(JobFile, models.PROTECT, related_name="+", null=True)
    url = models.CharField(max_length=40)
    metadata = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=16, default=JobState.VALIDATING)
    because = models.CharField(max_length=300, blank=True)
    ends_as = models.CharField(max_length=16, blank=True)
    errors = models.JSONField(default=list, help_text="Why it failed: code, message, line.")
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    estimate_micro = models.BigIntegerField(default=0, help_text="At most, before it began.")
    spent_micro = models.BigIntegerField(default=0)
    waits_because = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=120)
    expires_at = models.DateTimeField(help_text="What has not run by then is given up.")
    due_at = models.DateTimeField(help_text="Somebody looks at it again then.")
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="job_org_id"),
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="job_idempotency",
            ),
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="job_state"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(state__in=OPEN), name="job_due")
        ]

    def __str__(self) -> str:
        return self.public_id


class JobMove(models.Model):
    """Why a job changed its state."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    job = models.ForeignKey(Job, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class LineState(models.TextChoices):
    WAITING = "waiting"
    DONE = "done"  # answered with 200
    FAILED = "failed"


class JobLine(models.Model):
    """One request of a job: where it stands in the file, and what became of it.

    ``run`` is part of its Idempotency-Key. It rises only when it is certain that the run before
    will not be charged, or that the next one is not (``free``): ``portal.jobs.outcomes``.
    """

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    job = models.ForeignKey(Job, models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField(help_text="Of the line in the file, from 1.")
    custom_id = models.CharField(max_length=128)
    offset = models.BigIntegerField()
    length = models.PositiveIntegerField()
    worst_micro = models.BigIntegerField()
    state = models.CharField(max_length=8, default=LineState.WAITING)
    run = models.PositiveSmallIntegerField(default=1)
    free = models.BooleanField(default=False)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    doubted_at = models.DateTimeField(null=True, help_text="Its run was lost from sight.")
    request_ids = ArrayField(
        models.CharField(max_length=36), default=list, help_text="Of its runs; the last answered."
    )
    status = models.PositiveSmallIntegerField(default=0)
    result = models.BinaryField(null=True, help_text="Sealed; gone once it is in the file.")
    cost_micro = models.BigIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["job", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "number"], name="job_line_once"),
            models.CheckConstraint(condition=Q(state__in=LineState.values), name="job_line_state"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["job", "due_at"], condition=Q(state="waiting"), name="job_line_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.number}"
