"""Prices of what is stored."""

from django.db import migrations, models

from tenants.migration_ops import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_accruals")]

    operations = [
        migrations.CreateModel(
            name="StorageTariff",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("storage", models.CharField(help_text="Kind of storage.", max_length=24)),
                ("won_per_gb_day", models.DecimalField(decimal_places=6, max_digits=18)),
                ("starts_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["storage", "-starts_at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("storage", "starts_at"), name="storage_tariff_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("won_per_gb_day__gte", 0)),
                        name="storage_tariff_not_negative",
                    ),
                ],
            },
        ),
        AppendOnly("billing_storagetariff"),
    ]
