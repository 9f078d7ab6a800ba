"""The journal of money, behind the wall and append-only."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_budget_alerts"),
        ("tenants", "0022_organization_region"),
    ]

    operations = [
        migrations.CreateModel(
            name="Posting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(help_text="Business day in Korea.")),
                (
                    "kind",
                    models.CharField(help_text="What happened: invoice, payment, …", max_length=24),
                ),
                (
                    "reference",
                    models.CharField(help_text="Public id of the document.", max_length=64),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("debit", models.CharField(max_length=16)),
                ("credit", models.CharField(max_length=16)),
                ("amount_micro", models.DecimalField(decimal_places=6, max_digits=30)),
                ("posted_at", models.DateTimeField()),
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
                "ordering": ["posted_at", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "kind", "reference", "position"),
                        name="posting_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_micro__gt", 0)), name="posting_moves_something"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("debit", models.F("credit")), _negated=True),
                        name="posting_two_accounts",
                    ),
                ],
            },
        ),
        TenantTable("billing_posting"),
        AppendOnly("billing_posting"),
    ]
