"""Customers ask for larger quotas."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0023_payment_hold"),
    ]

    operations = [
        migrations.CreateModel(
            name="QuotaRaise",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("name", models.CharField(help_text="A name of tenants.quotas.", max_length=32)),
                ("from_most", models.PositiveIntegerField()),
                ("to_most", models.PositiveIntegerField()),
                ("because", models.CharField(max_length=300)),
                ("state", models.CharField(default="open", max_length=16)),
                ("asked_at", models.DateTimeField()),
                ("asked_by", models.CharField(max_length=120)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_by", models.CharField(blank=True, max_length=120)),
                ("decided_because", models.CharField(blank=True, max_length=300)),
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
                "ordering": ["-asked_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("organization", "name"),
                        name="quota_raise_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["open", "granted", "refused", "withdrawn"])
                        ),
                        name="quota_raise_state",
                    ),
                ],
            },
        ),
        TenantTable("tenants_quotaraise"),
    ]
