"""Sites have a health that is moved, and a condition that the operator wants; both keep why."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly

HEALTH = ["waiting", "ready", "degraded", "unreachable", "lost", "returned"]
CONDITIONS = ["open", "cordoned", "draining", "maintenance", "retired"]


class Migration(migrations.Migration):
    dependencies = [("fleet", "0004_nodes_and_power")]

    operations = [
        migrations.AddField("site", "condition", models.CharField(default="open", max_length=16)),
        migrations.AddField("site", "condition_since", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "site", "condition_because", models.CharField(blank=True, max_length=300)
        ),
        migrations.AddField("site", "health", models.CharField(default="waiting", max_length=16)),
        migrations.AddField("site", "health_since", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(
            [
                "UPDATE fleet_site SET condition = 'draining', condition_since = drained_at, "
                "condition_because = 'Drained before.' WHERE drained_at IS NOT NULL",
                "UPDATE fleet_site SET health = 'ready', health_since = observed_at "
                "WHERE observed_at IS NOT NULL",
            ],
            migrations.RunSQL.noop,
        ),
        migrations.RemoveField("site", "drained_at"),
        migrations.AddConstraint(
            "site",
            models.CheckConstraint(
                condition=models.Q(("condition__in", CONDITIONS)), name="site_condition"
            ),
        ),
        migrations.AddConstraint(
            "site",
            models.CheckConstraint(condition=models.Q(("health__in", HEALTH)), name="site_health"),
        ),
        migrations.RemoveConstraint("card", "card_state"),
        migrations.AddConstraint(
            "card",
            models.CheckConstraint(
                condition=models.Q(("state__in", ["free", "used", "failed", "gone"])),
                name="card_state",
            ),
        ),
        migrations.CreateModel(
            name="SiteMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("from_state", models.CharField(max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("codes", models.JSONField(default=list)),
                ("because", models.CharField(blank=True, max_length=300)),
                (
                    "by",
                    models.CharField(
                        blank=True, help_text="Opaque; empty: a worker.", max_length=120
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
                "indexes": [models.Index(fields=["site", "-at"], name="site_move_latest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["health", "condition"])),
                        name="site_move_kind",
                    )
                ],
            },
        ),
        AppendOnly("fleet_sitemove"),
    ]
