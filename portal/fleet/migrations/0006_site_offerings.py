"""Which SDK a site's chips run with, and what that did to the evidence of offerings there."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_evidence"),
        ("fleet", "0005_sites"),
    ]

    operations = [
        migrations.AddField(
            model_name="site",
            name="sdks",
            field=models.JSONField(
                default=dict, help_text="Chip → the SDK's version, as the site last told it."
            ),
        ),
        migrations.CreateModel(
            name="SiteOfferingMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                (
                    "sdk",
                    models.CharField(
                        help_text="The version at the site at that moment.", max_length=80
                    ),
                ),
                ("because", models.CharField(max_length=300)),
                ("at", models.DateTimeField()),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="site_moves",
                        to="catalog.offering",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offering_moves",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="SiteOffering",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("state", models.CharField(max_length=16)),
                (
                    "sdk",
                    models.CharField(
                        help_text="The version under which it was verified.", max_length=80
                    ),
                ),
                ("since", models.DateTimeField()),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="at_sites",
                        to="catalog.offering",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="offerings",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["site", "offering"],
                "constraints": [
                    models.UniqueConstraint(fields=("site", "offering"), name="site_offering_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["verified", "reverify", "failing"])),
                        name="site_offering_state",
                    ),
                ],
            },
        ),
        AppendOnly("fleet_siteofferingmove"),
    ]
