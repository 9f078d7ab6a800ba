"""Requests to the operator, and incidents. Only platform work writes remarks and incidents."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _organization() -> models.ForeignKey:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.organization"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0015_terms"),
    ]

    operations = [
        migrations.AddField(
            model_name="staffview",
            name="request",
            field=models.CharField(
                blank=True, help_text="The support request that consented to it.", max_length=24
            ),
        ),
        migrations.CreateModel(
            name="Incident",
            fields=[
                ("id", _id()),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("title_ko", models.CharField(max_length=120)),
                ("title_en", models.CharField(max_length=120)),
                (
                    "sites",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        default=list,
                        help_text="Codes of sites; none: the portal.",
                    ),
                ),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-began_at", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_at", None),
                            ("ended_at__gte", models.F("began_at")),
                            _connector="OR",
                        ),
                        name="incident_ends_after_it_began",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentUpdate",
            fields=[
                ("id", _id()),
                ("text_ko", models.TextField(max_length=2000)),
                ("text_en", models.TextField(max_length=2000)),
                ("by", models.CharField(help_text="The public id of the person.", max_length=24)),
                ("at", models.DateTimeField()),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="updates",
                        to="tenants.incident",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="SupportRequest",
            fields=[
                ("id", _id()),
                ("public_id", models.CharField(max_length=24, unique=True)),
                (
                    "requester",
                    models.CharField(help_text="The public id of the person.", max_length=24),
                ),
                ("kind", models.CharField(max_length=12)),
                ("severity", models.CharField(max_length=12)),
                ("state", models.CharField(default="new", max_length=16)),
                ("subject", models.CharField(max_length=120)),
                ("path", models.CharField(blank=True, max_length=200)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                (
                    "project",
                    models.CharField(
                        blank=True, help_text="Public id of the project.", max_length=24
                    ),
                ),
                (
                    "assignee",
                    models.CharField(
                        blank=True, help_text="One of the operator's staff.", max_length=24
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("moved_at", models.DateTimeField(help_text="Since when it has its state.")),
                ("due_at", models.DateTimeField(help_text="The first answer.")),
                (
                    "answered_at",
                    models.DateTimeField(help_text="The first answer was given.", null=True),
                ),
                ("told_overdue_at", models.DateTimeField(null=True)),
                ("idempotency_key", models.CharField(blank=True, max_length=80)),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                (
                    "incident",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.incident",
                    ),
                ),
                ("organization", _organization()),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["organization", "-id"], name="support_of_organization"),
                    models.Index(
                        condition=models.Q(
                            ("answered_at", None), ("state__in", ["new", "with_operator"])
                        ),
                        fields=["due_at"],
                        name="support_due",
                    ),
                    models.Index(
                        condition=models.Q(("state", "solved")),
                        fields=["moved_at"],
                        name="support_solved",
                    ),
                    models.Index(fields=["state", "due_at"], name="support_queue"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="support_request_org_id"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("idempotency_key", ""), _negated=True),
                        fields=("organization", "requester", "idempotency_key"),
                        name="support_request_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["new", "with_operator", "with_customer", "solved", "closed"],
                            )
                        ),
                        name="support_request_state",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SupportRemark",
            fields=[
                ("id", _id()),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("author", models.CharField(max_length=24)),
                ("text", models.TextField(max_length=10000)),
                ("at", models.DateTimeField()),
                ("organization", _organization()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.supportrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="SupportMove",
            fields=[
                ("id", _id()),
                ("what", models.CharField(help_text="state or severity", max_length=8)),
                ("before", models.CharField(blank=True, max_length=16)),
                ("after", models.CharField(max_length=16)),
                ("because", models.CharField(max_length=300)),
                ("side", models.CharField(max_length=10)),
                ("by", models.CharField(blank=True, max_length=24)),
                ("at", models.DateTimeField()),
                ("organization", _organization()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="tenants.supportrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="SupportMessage",
            fields=[
                ("id", _id()),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("side", models.CharField(max_length=10)),
                (
                    "author",
                    models.CharField(help_text="The public id of the person.", max_length=24),
                ),
                ("text", models.TextField(max_length=10000)),
                ("at", models.DateTimeField()),
                ("organization", _organization()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="tenants.supportrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("side__in", ["customer", "operator"])),
                        name="support_message_side",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SupportFollower",
            fields=[
                ("id", _id()),
                ("person", models.CharField(max_length=24)),
                ("organization", _organization()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="followers",
                        to="tenants.supportrequest",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("request", "person"), name="support_follower_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SupportConsent",
            fields=[
                ("id", _id()),
                ("given_by", models.CharField(max_length=24)),
                ("given_at", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_because",
                    models.CharField(blank=True, help_text="withdrawn or closed", max_length=10),
                ),
                ("organization", _organization()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="tenants.supportrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("request",),
                        name="support_consent_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until__gt", models.F("given_at"))),
                        name="support_consent_has_an_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SupportAttachment",
            fields=[
                ("id", _id()),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("side", models.CharField(max_length=10)),
                ("author", models.CharField(max_length=24)),
                ("at", models.DateTimeField()),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.storedfile",
                    ),
                ),
                ("organization", _organization()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attachments",
                        to="tenants.supportrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        *(
            TenantTable(f"tenants_support{name}")
            for name in ("request", "message", "attachment", "move", "consent", "follower")
        ),
        # No customer's transaction reads a remark, whatever a page forgets.
        TenantTable("tenants_supportremark", mine="false"),
        TenantTable("tenants_incident", mine="false", also_readable="true"),
        TenantTable("tenants_incidentupdate", mine="false", also_readable="true"),
        *(
            TenantForeignKey(f"tenants_support{name}", "request_id", "tenants_supportrequest")
            for name in ("message", "remark", "attachment", "move", "consent", "follower")
        ),
        TenantForeignKey("tenants_supportattachment", "file_id", "tenants_storedfile"),
        AppendOnly("tenants_supportmove"),
        AppendOnly("tenants_incidentupdate"),
    ]
