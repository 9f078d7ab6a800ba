"""What the operator keeps about customers; only platform work writes it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantTable

OWN = "organization_id = NULLIF(current_setting('app.org', true), '')::bigint"


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0010_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="OperatorNote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("text", models.TextField(max_length=2000)),
                ("by", models.CharField(max_length=120)),
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
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="OperatorHold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("because", models.CharField(help_text="The customer reads it.", max_length=300)),
                ("held_at", models.DateTimeField()),
                ("held_by", models.CharField(max_length=120)),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lifted_by", models.CharField(blank=True, max_length=120)),
                ("lifted_because", models.CharField(blank=True, max_length=300)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holds",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-held_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)),
                        fields=("organization",),
                        name="operator_hold_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Proposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=40)),
                (
                    "subject",
                    models.CharField(help_text="What it is about: an id or a name.", max_length=64),
                ),
                ("payload", models.JSONField(default=dict)),
                ("because", models.CharField(max_length=300)),
                ("proposed_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("decision", models.CharField(default="open", max_length=12)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_because", models.CharField(blank=True, max_length=300)),
                (
                    "decided_by",
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
                        help_text="The operator's own.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-proposed_at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("decision", "open")),
                        fields=["expires_at"],
                        name="proposal_open",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decision__in", ["open", "approved", "rejected", "expired"])
                        ),
                        name="proposal_decision",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decision", "approved"), _negated=True),
                            models.Q(
                                ("decided_by__isnull", False),
                                models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="proposal_takes_two",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("decision", "open")),
                        fields=("kind", "subject"),
                        name="proposal_open_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(help_text="A name of tenants.quotas.", max_length=32)),
                ("most", models.PositiveIntegerField()),
                ("because", models.CharField(max_length=300)),
                ("set_by", models.CharField(max_length=120)),
                ("set_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quotas",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="quota_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="StaffView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("staff_label", models.CharField(max_length=120)),
                ("because", models.CharField(help_text="The customer reads it.", max_length=300)),
                ("began_at", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-began_at", "-id"],
                "indexes": [models.Index(fields=["staff", "-began_at"], name="view_staff_time")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("until__gt", models.F("began_at"))),
                        name="view_has_an_end",
                    )
                ],
            },
        ),
        # Written by nobody but the system role; a customer reads what concerns it, notes never.
        TenantTable("tenants_operatorhold", mine="false", also_readable=OWN),
        TenantTable("tenants_quota", mine="false", also_readable=OWN),
        TenantTable("tenants_staffview", mine="false", also_readable=OWN),
        TenantTable("tenants_operatornote", mine="false"),
        TenantTable("tenants_proposal", mine="false"),
        AppendOnly("tenants_operatornote"),
        AppendOnly("tenants_operatorhold", unless="OLD.lifted_at IS NULL"),
        AppendOnly("tenants_staffview", unless="OLD.ended_at IS NULL"),
        AppendOnly("tenants_proposal", unless="OLD.decision = 'open'"),
    ]
