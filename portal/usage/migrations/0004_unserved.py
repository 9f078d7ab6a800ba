"""Requests that no site took, counted by gateways: seen by their own tenant only."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import TenantTable


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_baseline_ledger")]

    operations = [
        migrations.CreateModel(
            name="GatewayRun",
            fields=[
                ("run", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("gateway", models.CharField(max_length=128)),
                ("began_at", models.DateTimeField()),
                ("told_until", models.DateTimeField()),
                (
                    "lost_at",
                    models.DateTimeField(help_text="When one was last not counted.", null=True),
                ),
                (
                    "over",
                    models.BooleanField(
                        default=False, help_text="It ended, and has told everything."
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UnservedCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("project", models.CharField(max_length=24)),
                ("endpoint", models.CharField(max_length=24)),
                ("slot_at", models.DateTimeField()),
                ("code", models.CharField(max_length=40)),
                ("run", models.CharField(max_length=32)),
                ("count", models.BigIntegerField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.BrinIndex(
                        fields=["slot_at"], name="unserved_slot"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "endpoint", "slot_at", "code", "project", "run"),
                        name="unserved_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("count__gt", 0)), name="unserved_some"
                    ),
                ],
            },
        ),
        TenantTable("usage_unservedcount"),
    ]
