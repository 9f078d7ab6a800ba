"""Invoices in the place of wrong ones, and why a credit note was made."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import TenantForeignKey


class Migration(migrations.Migration):
    dependencies = [("billing", "0024_prepaid"), ("tenants", "0023_payment_hold")]

    operations = [
        migrations.RemoveConstraint(model_name="invoice", name="invoice_kind"),
        migrations.AddField(
            model_name="creditnote",
            name="reason",
            field=models.CharField(
                db_default="price",
                help_text="A word of billing.etax.amendments.Reason.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="renews",
            field=models.OneToOneField(
                help_text="What took back the invoice in whose place this one stands.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="renewed_by",
                to="billing.creditnote",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["interim", "month", "corrected"])),
                name="invoice_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "corrected"), ("renews__isnull", False)),
                    models.Q(
                        models.Q(("kind", "corrected"), _negated=True), ("renews__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="invoice_renews",
            ),
        ),
        TenantForeignKey("billing_invoice", "renews_id", "billing_creditnote"),
    ]
