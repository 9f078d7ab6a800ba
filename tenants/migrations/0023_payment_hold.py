"""Organizations that have not paid; only platform work writes it, a customer reads its own."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantTable

OWN = "organization_id = (SELECT NULLIF(current_setting('app.org', true), '')::bigint)"


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0022_organization_region"),
    ]

    operations = [
        migrations.CreateModel(
            name="PaymentHold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                (
                    "document",
                    models.CharField(help_text="Public id of the unpaid invoice.", max_length=24),
                ),
                ("number", models.CharField(help_text="Its number.", max_length=20)),
                ("held_at", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment_holds",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-held_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)),
                        fields=("organization",),
                        name="payment_hold_once",
                    )
                ],
            },
        ),
        TenantTable("tenants_paymenthold", mine="false", also_readable=OWN),
        AppendOnly("tenants_paymenthold", unless="OLD.lifted_at IS NULL"),
    ]
