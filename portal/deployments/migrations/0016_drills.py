"""Booked drills: one site is withdrawn from one endpoint for a window."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("deployments", "0015_strategies"),
        ("fleet", "0006_site_offerings"),
        ("tenants", "0023_payment_hold"),
    ]

    operations = [
        migrations.CreateModel(
            name="Drill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("state", models.CharField(default="booked", max_length=16)),
                ("because", models.CharField(blank=True, max_length=200)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("returned_at", models.DateTimeField(null=True)),
                (
                    "jws",
                    models.TextField(blank=True, help_text="The signed report, once it is known."),
                ),
                ("booked_at", models.DateTimeField()),
                ("booked_by", models.CharField(max_length=120)),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drills",
                        to="deployments.endpoint",
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
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["-starts_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="DrillMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("because", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                (
                    "drill",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="deployments.drill",
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
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.AddConstraint(
            model_name="drill",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="drill_org_id"),
        ),
        migrations.AddConstraint(
            model_name="drill",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["booked", "running", "ended", "called_off", "cancelled"])
                ),
                name="drill_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="drill",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="drill_forward"
            ),
        ),
        migrations.AddConstraint(
            model_name="drill",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("state__in", ["booked", "running"])),
                expressions=[
                    ("endpoint", "="),
                    (
                        models.Func(
                            "starts_at",
                            "ends_at",
                            django.contrib.postgres.fields.ranges.RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                        ),
                        "&&",
                    ),
                ],
                name="drill_one_at_a_time",
            ),
        ),
        TenantTable("deployments_drill"),
        TenantTable("deployments_drillmove"),
        TenantForeignKey("deployments_drill", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_drillmove", "drill_id", "deployments_drill"),
        AppendOnly("deployments_drillmove"),
    ]
