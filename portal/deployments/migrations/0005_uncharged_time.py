"""Reserved cards that nobody used and that are not charged: seen by their own tenant only."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

TABLE = "deployments_unchargedtime"


class Migration(migrations.Migration):
    dependencies = [("deployments", "0004_bell"), ("tenants", "0004_baseline_terms")]

    operations = [
        migrations.CreateModel(
            name="UnchargedTime",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("because", models.CharField(max_length=16)),
                ("cards", models.PositiveSmallIntegerField()),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "reservation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uncharged",
                        to="deployments.reservation",
                    ),
                ),
            ],
            options={
                "ordering": ["started_at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("reservation", "started_at"), name="uncharged_time_once"
                    ),
                    models.CheckConstraint(
                        condition=Q(because__in=["silent", "closed", "cards"]),
                        name="uncharged_time_because",
                    ),
                    models.CheckConstraint(
                        condition=Q(cards__gte=1, ended_at__gt=F("started_at")),
                        name="uncharged_time_forward",
                    ),
                ],
            },
        ),
        TenantTable(TABLE),
        TenantForeignKey(TABLE, "reservation_id", "deployments_reservation"),
        AppendOnly(TABLE),
    ]
