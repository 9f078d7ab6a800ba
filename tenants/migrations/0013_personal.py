"""Copies of personal data, ends of accounts and of organizations."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.migration_ops import ErasableName, TenantTable

MINE = "user_id = NULLIF(current_setting('app.user', true), '')::bigint"


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0012_people"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="closed_at",
            field=models.DateTimeField(help_text="Nothing runs any more; members read.", null=True),
        ),
        migrations.AddField(
            model_name="organization",
            name="closes_at",
            field=models.DateTimeField(help_text="The owner wants it closed then.", null=True),
        ),
        migrations.AddField(
            model_name="storedfile",
            name="made_by",
            field=models.ForeignKey(
                help_text="Who handed it in.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="AccountDeletion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("asked_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                (
                    "held_at",
                    models.DateTimeField(
                        help_text="Due, but the person is the last owner of an organization.",
                        null=True,
                    ),
                ),
                ("undone_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deletions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("done_at", None), ("undone_at", None)),
                        fields=("user",),
                        name="deletion_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PersonalExport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("language", models.CharField(max_length=8)),
                ("asked_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("made_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("size", models.PositiveIntegerField(default=0, help_text="Bytes.")),
                ("content", models.BinaryField(default=b"")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("made_at", None)),
                        fields=("user",),
                        name="export_one_at_a_time",
                    )
                ],
            },
        ),
        TenantTable("tenants_personalexport", mine=MINE),
        TenantTable("tenants_accountdeletion", mine=MINE),
        migrations.AddField(
            model_name="auditperson",
            name="formerly",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=254),
                default=list,
                help_text="Earlier names and addresses: what was copied beside things bears them.",
                size=None,
            ),
        ),
        ErasableName("tenants_operatornote", "by"),
        ErasableName(
            "tenants_operatorhold", "held_by", "lifted_by", unless="OLD.lifted_at IS NULL"
        ),
        ErasableName("tenants_staffview", "staff_label", unless="OLD.ended_at IS NULL"),
        ErasableName("tenants_accessreview", "signed_by", unless="OLD.signed_at IS NULL"),
        ErasableName(
            "tenants_accessline",
            "label",
            "decided_by",
            trigger="signed",
            function="tenants_accessline_signed",
            others="INSERT OR DELETE",
        ),
    ]
