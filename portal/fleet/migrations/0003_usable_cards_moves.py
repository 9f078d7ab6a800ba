"""How many cards of a site worked, and since when: what a reservation is not charged for."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_baseline_wall"), ("fleet", "0002_baseline_counts")]

    operations = [
        migrations.CreateModel(
            name="UsableCardsMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_cards", models.PositiveIntegerField()),
                ("to_cards", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "chip",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.chip",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usable_moves",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
                "indexes": [
                    models.Index(fields=["site", "chip", "at"], name="usable_cards_move_at")
                ],
            },
        ),
        AppendOnly("fleet_usablecardsmove"),
    ]
