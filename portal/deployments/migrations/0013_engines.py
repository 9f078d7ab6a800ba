"""How each replica's engine is started, and the last lines of those that failed or ended."""

from django.db import migrations, models
from django.db.models.deletion import PROTECT

from tenants.migration_ops import TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("deployments", "0012_scaling"),
        ("tenants", "0023_payment_hold"),
    ]

    operations = [
        migrations.AddField(
            "placement",
            "form",
            models.JSONField(
                default=dict,
                help_text="How its engine is started: the offering's of when it was asked for",
            ),
        ),
        migrations.CreateModel(
            name="KeptLog",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("lines", models.JSONField(default=list)),
                ("kept_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="+", to="tenants.organization"
                    ),
                ),
                (
                    "placement",
                    models.OneToOneField(
                        on_delete=PROTECT, related_name="kept_log", to="deployments.placement"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="kept_log_org_id")
                ],
            },
        ),
        TenantTable("deployments_keptlog"),
        TenantForeignKey("deployments_keptlog", "placement_id", "deployments_placement"),
    ]
