"""What no e-tax document could be made of (behind the wall); refunds found by their reference."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0026_exports"), ("tenants", "0023_payment_hold")]

    operations = [
        migrations.CreateModel(
            name="EtaxTrouble",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.CharField(help_text="inv_… or crn_….", max_length=24, unique=True),
                ),
                ("error", models.CharField(max_length=300)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={"ordering": ["next_at", "id"]},
        ),
        TenantTable("billing_etaxtrouble"),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["reference"], name="refund_reference"),
        ),
    ]
