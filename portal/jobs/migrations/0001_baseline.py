"""Tables of batch jobs: their files, lines and moves."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

from tenants.migration_ops import Tables


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _to(model: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=models.PROTECT, related_name="+", to=model, **options)


class Migration(migrations.Migration):
    initial = True

    # A database of before: see docs/adr/0018.
    replaces = [("jobs", "0001_initial")]

    dependencies = [("tenants", "0001_baseline")]

    operations = [
        Tables(
            migrations.CreateModel(
                name="JobFile",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("project", _to("tenants.project")),
                    ("purpose", models.CharField(max_length=16)),
                    ("name", models.CharField(max_length=120)),
                    ("bytes", models.BigIntegerField()),
                    ("lines", models.PositiveIntegerField()),
                    (
                        "url",
                        models.CharField(
                            blank=True, help_text="Of all its requests.", max_length=40
                        ),
                    ),
                    (
                        "model_names",
                        ArrayField(base_field=models.CharField(max_length=128), default=list),
                    ),
                    ("sha256", models.CharField(max_length=64)),
                    ("created_at", models.DateTimeField()),
                    ("created_by", models.CharField(max_length=120)),
                    ("expires_at", models.DateTimeField(help_text="Its content is deleted then.")),
                    ("deleted_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-created_at", "-id"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(deleted_at=None),
                            fields=["expires_at"],
                            name="job_file_expiring",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="job_file_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(purpose__in=["batch", "batch_output"]),
                            name="job_file_purpose",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Job",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("project", _to("tenants.project")),
                    ("key", _to("tenants.apikey")),
                    ("input_file", _to("jobs.jobfile")),
                    ("output_file", _to("jobs.jobfile", null=True)),
                    ("error_file", _to("jobs.jobfile", null=True)),
                    ("url", models.CharField(max_length=40)),
                    ("metadata", models.JSONField(default=dict)),
                    ("idempotency_key", models.CharField(blank=True, max_length=255)),
                    ("state", models.CharField(default="validating", max_length=16)),
                    ("because", models.CharField(blank=True, max_length=300)),
                    ("ends_as", models.CharField(blank=True, max_length=16)),
                    (
                        "errors",
                        models.JSONField(
                            default=list, help_text="Why it failed: code, message, line."
                        ),
                    ),
                    ("total", models.PositiveIntegerField(default=0)),
                    ("done", models.PositiveIntegerField(default=0)),
                    ("failed", models.PositiveIntegerField(default=0)),
                    (
                        "estimate_micro",
                        models.BigIntegerField(default=0, help_text="At most, before it began."),
                    ),
                    ("spent_micro", models.BigIntegerField(default=0)),
                    ("waits_because", models.CharField(blank=True, max_length=200)),
                    ("created_at", models.DateTimeField()),
                    ("created_by", models.CharField(max_length=120)),
                    (
                        "expires_at",
                        models.DateTimeField(help_text="What has not run by then is given up."),
                    ),
                    ("due_at", models.DateTimeField(help_text="Somebody looks at it again then.")),
                    ("lease_token", models.UUIDField(null=True)),
                    ("lease_until", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-created_at", "-id"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(
                                state__in=("validating", "in_progress", "finalizing", "cancelling")
                            ),
                            fields=["due_at"],
                            name="job_due",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="job_org_id"),
                        models.UniqueConstraint(
                            condition=models.Q(idempotency_key="", _negated=True),
                            fields=("organization", "idempotency_key"),
                            name="job_idempotency",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=[
                                    "validating",
                                    "failed",
                                    "in_progress",
                                    "finalizing",
                                    "completed",
                                    "expired",
                                    "cancelling",
                                    "cancelled",
                                ]
                            ),
                            name="job_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="JobMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "job",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="jobs.job"
                        ),
                    ),
                    ("from_state", models.CharField(max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="JobLine",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "job",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="rows", to="jobs.job"
                        ),
                    ),
                    (
                        "number",
                        models.PositiveIntegerField(help_text="Of the line in the file, from 1."),
                    ),
                    ("custom_id", models.CharField(max_length=128)),
                    ("offset", models.BigIntegerField()),
                    ("length", models.PositiveIntegerField()),
                    ("worst_micro", models.BigIntegerField()),
                    ("state", models.CharField(default="waiting", max_length=8)),
                    ("run", models.PositiveSmallIntegerField(default=1)),
                    ("free", models.BooleanField(default=False)),
                    ("tries", models.PositiveSmallIntegerField(default=0)),
                    ("due_at", models.DateTimeField()),
                    (
                        "doubted_at",
                        models.DateTimeField(help_text="Its run was lost from sight.", null=True),
                    ),
                    (
                        "request_ids",
                        ArrayField(
                            base_field=models.CharField(max_length=36),
                            default=list,
                            help_text="Of its runs; the last answered.",
                        ),
                    ),
                    ("status", models.PositiveSmallIntegerField(default=0)),
                    (
                        "result",
                        models.BinaryField(
                            help_text="Sealed; gone once it is in the file.", null=True
                        ),
                    ),
                    ("cost_micro", models.BigIntegerField(default=0)),
                ],
                options={
                    "ordering": ["job", "number"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(state="waiting"),
                            fields=["job", "due_at"],
                            name="job_line_waiting",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(fields=("job", "number"), name="job_line_once"),
                        models.CheckConstraint(
                            condition=models.Q(state__in=["waiting", "done", "failed"]),
                            name="job_line_state",
                        ),
                    ],
                },
            ),
        )
    ]
