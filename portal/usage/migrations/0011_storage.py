"""What was stored, day by day: seen by its own tenant only, never changed, no second twice."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantTable


class Migration(migrations.Migration):
    dependencies = [("usage", "0010_recorded"), ("tenants", "0003_system_role")]

    operations = [
        migrations.CreateModel(
            name="StoredVolume",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("project", models.CharField(max_length=24)),
                (
                    "volume",
                    models.CharField(help_text="Public id of what is stored.", max_length=24),
                ),
                ("storage", models.CharField(help_text="Kind of storage.", max_length=24)),
                ("bytes", models.BigIntegerField()),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("price_version", models.CharField(max_length=24)),
                (
                    "recorded_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
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
                "indexes": [
                    models.Index(fields=["organization", "started_at"], name="stored_volume_org"),
                    django.contrib.postgres.indexes.BrinIndex(
                        fields=["recorded_at"], name="stored_volume_recorded"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ended_at__gt", models.F("started_at"))),
                        name="stored_volume_forward",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bytes__gt", 0)), name="stored_volume_of_something"
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        name="stored_volume_no_second_twice",
                        expressions=[
                            ("volume", "="),
                            (
                                models.Func(
                                    "started_at",
                                    "ended_at",
                                    django.contrib.postgres.fields.ranges.RangeBoundary(),
                                    function="TSTZRANGE",
                                    output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                    ),
                ],
            },
        ),
        TenantTable("usage_storedvolume"),
        AppendOnly("usage_storedvolume"),
    ]
