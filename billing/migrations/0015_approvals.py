"""Approvals: versions of the rules, requests, and what was signed."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0014_fiscal"),
        ("tenants", "0022_organization_region"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRequest",
            fields=[
                ("id", _id()),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=24)),
                (
                    "subject",
                    models.CharField(help_text="Public id of what it is about.", max_length=64),
                ),
                ("title", models.CharField(max_length=120)),
                (
                    "project",
                    models.CharField(
                        blank=True, help_text="Empty: the organization.", max_length=24
                    ),
                ),
                ("data_class", models.CharField(max_length=16)),
                ("amount_won", models.BigIntegerField(help_text="Of the running round.")),
                ("because", models.CharField(blank=True, max_length=300)),
                ("requested_label", models.CharField(max_length=120)),
                ("requested_at", models.DateTimeField()),
                ("round", models.PositiveSmallIntegerField(default=1)),
                ("state", models.CharField(default="waiting", max_length=12)),
                ("state_since", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "reminders",
                    models.PositiveSmallIntegerField(default=0, help_text="Sent in this round."),
                ),
                (
                    "result",
                    models.CharField(
                        blank=True, help_text="Public id of what came of it.", max_length=64
                    ),
                ),
                (
                    "fault",
                    models.CharField(
                        blank=True, help_text="Why it was not carried out.", max_length=300
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-requested_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="ApprovalMove",
            fields=[
                ("id", _id()),
                ("from_state", models.CharField(max_length=12)),
                ("to_state", models.CharField(max_length=12)),
                ("because", models.CharField(max_length=300)),
                ("by", models.CharField(blank=True, max_length=120)),
                ("at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.approvalrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="ApprovalStep",
            fields=[
                ("id", _id()),
                ("round", models.PositiveSmallIntegerField()),
                ("position", models.PositiveSmallIntegerField(help_text="From 1.")),
                (
                    "roles",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=16), default=list
                    ),
                ),
                (
                    "members",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24), default=list
                    ),
                ),
                ("needed", models.PositiveSmallIntegerField(default=1)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="steps",
                        to="billing.approvalrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["round", "position"],
            },
        ),
        migrations.CreateModel(
            name="ApprovalDecision",
            fields=[
                ("id", _id()),
                ("agrees", models.BooleanField()),
                ("decided_label", models.CharField(max_length=120)),
                ("for_label", models.CharField(blank=True, max_length=120)),
                ("rung", models.CharField(help_text="Why it was theirs to decide.", max_length=12)),
                ("because", models.CharField(blank=True, max_length=300)),
                ("at", models.DateTimeField()),
                (
                    "decided_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "for_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="billing.approvalrequest",
                    ),
                ),
                (
                    "step",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="billing.approvalstep",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="ApprovalTerms",
            fields=[
                ("id", _id()),
                ("round", models.PositiveSmallIntegerField()),
                ("terms", models.JSONField()),
                ("amount_won", models.BigIntegerField()),
                (
                    "matrix_version",
                    models.PositiveIntegerField(help_text="0: the one to begin with."),
                ),
                ("at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="terms",
                        to="billing.approvalrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["round"],
            },
        ),
        migrations.CreateModel(
            name="ApprovalMatrix",
            fields=[
                ("id", _id()),
                ("version", models.PositiveIntegerField()),
                (
                    "rules",
                    models.JSONField(help_text="As billing.approvals.matrix.to_json writes them."),
                ),
                ("because", models.CharField(max_length=300)),
                ("by", models.CharField(max_length=120)),
                (
                    "by_ref",
                    models.CharField(blank=True, help_text="usr_… of who wrote it.", max_length=24),
                ),
                ("at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-version"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "version"), name="approval_matrix_version"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("state__in", ("waiting", "approved", "failed", "changed"))),
                fields=["organization", "expires_at"],
                name="approval_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="approval_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("waiting", "approved", "failed", "changed"))),
                fields=("organization", "kind", "subject"),
                name="approval_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "waiting",
                            "approved",
                            "done",
                            "failed",
                            "changed",
                            "refused",
                            "withdrawn",
                            "expired",
                        ],
                    )
                ),
                name="approval_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_won__gte", 0), ("amount_won__lte", 1000000000000000)),
                name="approval_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalstep",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="approval_step_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalstep",
            constraint=models.UniqueConstraint(
                fields=("request", "round", "position"), name="approval_step_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("needed__gte", 1)), name="approval_step_needed"
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.UniqueConstraint(
                fields=("step", "decided_by"), name="approval_decided_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("for_user__isnull", False)),
                fields=("step", "for_user"),
                name="approval_lent_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("agrees", True), models.Q(("because", ""), _negated=True), _connector="OR"
                ),
                name="approval_refusal_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("for_user", None),
                    models.Q(("for_user", models.F("decided_by")), _negated=True),
                    _connector="OR",
                ),
                name="approval_for_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalterms",
            constraint=models.UniqueConstraint(
                fields=("request", "round"), name="approval_terms_once"
            ),
        ),
    ]
