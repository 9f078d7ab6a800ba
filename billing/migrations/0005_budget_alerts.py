"""That people were told how far a budget is used."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_erasable_names"), ("tenants", "0003_system_role")]

    operations = [
        migrations.CreateModel(
            "BudgetAlert",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.CharField(max_length=7)),
                ("percent", models.PositiveSmallIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="billing.budget",
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("budget", "month", "percent"), name="budget_alert_once"
                    )
                ]
            },
        ),
        TenantTable("billing_budgetalert"),
        TenantForeignKey("billing_budgetalert", "budget_id", "billing_budget"),
    ]
