"""An order may ask for one kind of chip, and for each replica at a site of its own; and who finds
no room may be told when there is some."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import TenantForeignKey, TenantTable

APART = "Each replica at a site of its own."


class Migration(migrations.Migration):
    dependencies = [("deployments", "0007_awaiting"), ("catalog", "0002_places")]

    operations = [
        migrations.AddField("order", "apart", models.BooleanField(default=False, help_text=APART)),
        migrations.AddField(
            "order",
            "wished_chip",
            models.CharField(blank=True, help_text="Empty: any.", max_length=24),
        ),
        migrations.AddField(
            "revision", "apart", models.BooleanField(default=False, help_text=APART)
        ),
        migrations.CreateModel(
            name="CapacityWatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("region", models.CharField(blank=True, max_length=24)),
                ("replicas", models.PositiveSmallIntegerField()),
                ("chip", models.CharField(blank=True, max_length=24)),
                ("apart", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                ("until", models.DateTimeField()),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.catalogmodel",
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
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.project",
                    ),
                ),
            ],
            options={
                "ordering": ["created_at", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "model", "region", "replicas", "chip", "apart"),
                        name="capacity_watch_once",
                    )
                ],
            },
        ),
        TenantTable("deployments_capacitywatch"),
        TenantForeignKey("deployments_capacitywatch", "project_id", "tenants_project"),
    ]
