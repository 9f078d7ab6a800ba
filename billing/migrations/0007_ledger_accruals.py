"""Accruals by day and price line, behind the wall and append-only; how far rating has come."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantTable

ALL = ("quantity", "cached", "output", "amount_micro")


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0006_journal"),
        ("tenants", "0022_organization_region"),
        ("usage", "0010_ledger_recorded"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceLine",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=16)),
                ("subject", models.CharField(max_length=64)),
                ("price_version", models.CharField(max_length=24)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "subject", "price_version"), name="price_line_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RatingMark",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                (
                    "recorded_at",
                    models.DateTimeField(help_text="All that was recorded before is rated."),
                ),
                (
                    "day",
                    models.DateField(
                        help_text="The first business day that is not rated as a whole."
                    ),
                ),
                ("rated_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Accrual",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id",
                        "day",
                        "line_id",
                        "project",
                        "subject",
                        "label",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "day",
                    models.DateField(help_text="Business day in Korea on which it was used."),
                ),
                ("project", models.CharField(max_length=24)),
                (
                    "subject",
                    models.CharField(
                        help_text="Endpoint, where the line is card time.", max_length=24
                    ),
                ),
                ("label", models.CharField(help_text="Its name, chip and site.", max_length=128)),
                ("number", models.PositiveSmallIntegerField()),
                ("quantity", models.BigIntegerField()),
                ("cached", models.BigIntegerField(help_text="Cached input tokens.")),
                ("output", models.BigIntegerField(help_text="Output tokens.")),
                ("amount_micro", models.DecimalField(decimal_places=6, max_digits=30)),
                ("rated_at", models.DateTimeField()),
                (
                    "line",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.priceline",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(**{f"{name}__gte": 0 for name in ALL})
                        | models.Q(**{f"{name}__lte": 0 for name in ALL}),
                        name="accrual_amount_has_its_sign",
                    ),
                    models.CheckConstraint(
                        condition=~models.Q(quantity=0, cached=0, output=0),
                        name="accrual_of_something",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Unrated",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("project", models.CharField(max_length=24)),
                ("kind", models.CharField(max_length=16)),
                ("subject", models.CharField(max_length=64)),
                ("price_version", models.CharField(max_length=24)),
                (
                    "because",
                    models.CharField(help_text="no_price or implausible.", max_length=16),
                ),
                ("seen_at", models.DateTimeField()),
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
                        fields=(
                            "organization",
                            "day",
                            "project",
                            "kind",
                            "subject",
                            "price_version",
                        ),
                        name="unrated_once",
                    )
                ],
            },
        ),
        TenantTable("billing_accrual"),
        TenantTable("billing_unrated"),
        AppendOnly("billing_accrual"),
        AppendOnly("billing_priceline"),
    ]
