"""Credit that is paid for in advance, and what credit notes give back to funding sources."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0023_late_usage"),
        ("tenants", "0023_payment_hold"),
    ]

    operations = [
        migrations.CreateModel(
            name="FundingReturn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("won", models.BigIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="PrepaidEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("won", models.BigIntegerField()),
                ("because", models.CharField(max_length=16)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="PrepaidReminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("days", models.PositiveSmallIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="PrepaidTopUp",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("won", models.BigIntegerField()),
                ("asked_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
            },
        ),
        migrations.AddField(
            model_name="paymentallocation",
            name="prepaid",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="allocations",
                to="billing.fundingsource",
            ),
        ),
        migrations.AlterField(
            model_name="cardcharge",
            name="invoice",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.invoice",
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingdraw",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="funding_draw_org_id"
            ),
        ),
        migrations.AddField(
            model_name="fundingreturn",
            name="credit_note",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="funding_returns",
                to="billing.creditnote",
            ),
        ),
        migrations.AddField(
            model_name="fundingreturn",
            name="draw",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="returns",
                to="billing.fundingdraw",
            ),
        ),
        migrations.AddField(
            model_name="fundingreturn",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="prepaidentry",
            name="invoice",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="prepaidentry",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="prepaidentry",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="prepaid",
                to="billing.payment",
            ),
        ),
        migrations.AddField(
            model_name="prepaidentry",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="billing.fundingsource",
            ),
        ),
        migrations.AddField(
            model_name="prepaidreminder",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="prepaidreminder",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reminders",
                to="billing.fundingsource",
            ),
        ),
        migrations.AddField(
            model_name="prepaidtopup",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="prepaidtopup",
            name="source",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="topup",
                to="billing.fundingsource",
            ),
        ),
        migrations.AddField(
            model_name="cardcharge",
            name="topup",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="charges",
                to="billing.prepaidtopup",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardcharge",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("wanted", "processing", "action"))),
                fields=("topup",),
                name="charge_of_topup_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardcharge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("invoice__isnull", True), ("topup__isnull", True), _connector="XOR"
                ),
                name="charge_for_one_thing",
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingreturn",
            constraint=models.UniqueConstraint(
                fields=("credit_note", "draw"), name="funding_return_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingreturn",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="funding_return_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="prepaidentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("won", 0), _negated=True), name="prepaid_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="prepaidentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "because__in",
                        ["topup", "drawn", "returned", "expired", "credited", "reversed"],
                    )
                ),
                name="prepaid_because",
            ),
        ),
        migrations.AddConstraint(
            model_name="prepaidentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("because", "expired")),
                fields=("source", "payment"),
                name="prepaid_expires_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="prepaidreminder",
            constraint=models.UniqueConstraint(
                fields=("source", "days"), name="prepaid_reminder_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="prepaidtopup",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="topup_org_id"),
        ),
        migrations.AddConstraint(
            model_name="prepaidtopup",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="topup_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="prepaidtopup",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("withdrawn_at__isnull", True), ("source__isnull", True), _connector="OR"
                ),
                name="topup_one_end",
            ),
        ),
        TenantTable("billing_fundingreturn"),
        TenantTable("billing_prepaidtopup"),
        TenantTable("billing_prepaidentry"),
        TenantTable("billing_prepaidreminder"),
        TenantForeignKey("billing_fundingreturn", "draw_id", "billing_fundingdraw"),
        TenantForeignKey("billing_fundingreturn", "credit_note_id", "billing_creditnote"),
        TenantForeignKey("billing_prepaidtopup", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_prepaidentry", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_prepaidentry", "payment_id", "billing_payment"),
        TenantForeignKey("billing_prepaidentry", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_prepaidreminder", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_paymentallocation", "prepaid_id", "billing_fundingsource"),
        TenantForeignKey("billing_cardcharge", "topup_id", "billing_prepaidtopup"),
        AppendOnly("billing_fundingreturn"),
        AppendOnly("billing_prepaidentry"),
        AppendOnly("billing_prepaidreminder"),
    ]
