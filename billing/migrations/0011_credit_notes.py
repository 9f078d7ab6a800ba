"""Credit notes, kept copies, reminders; late interest on invoices."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0010_prices"),
        ("tenants", "0023_payment_hold"),
    ]

    operations = [
        migrations.CreateModel(
            name="CreditNote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("number", models.CharField(max_length=20, unique=True)),
                ("issued_at", models.DateTimeField()),
                ("issue_date", models.DateField()),
                ("seller", models.JSONField()),
                ("buyer", models.JSONField()),
                ("supply_won", models.BigIntegerField()),
                ("vat_won", models.BigIntegerField()),
                ("untaxed_won", models.BigIntegerField(db_default=0)),
                ("total_won", models.BigIntegerField()),
                ("vat_rule", models.CharField(max_length=24)),
                ("because", models.CharField(help_text="The customer reads it.", max_length=300)),
                (
                    "proposal",
                    models.CharField(
                        help_text="Public id of what two people agreed on.",
                        max_length=24,
                        unique=True,
                    ),
                ),
            ],
            options={
                "ordering": ["-issued_at", "-number"],
            },
        ),
        migrations.CreateModel(
            name="CreditNoteLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("usage_month", models.CharField(max_length=7)),
                ("text_ko", models.CharField(max_length=200)),
                ("text_en", models.CharField(max_length=200)),
                ("amount_won", models.BigIntegerField()),
            ],
            options={
                "ordering": ["credit_note", "position"],
            },
        ),
        migrations.CreateModel(
            name="KeptDocument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "subject",
                    models.CharField(help_text="Public id of the document.", max_length=24),
                ),
                ("language", models.CharField(max_length=2)),
                ("pdf", models.BinaryField()),
                ("sha256", models.CharField(max_length=64)),
                ("rendered_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="NumberSeries",
            fields=[
                ("name", models.CharField(max_length=24, primary_key=True, serialize=False)),
                ("last", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "step",
                    models.CharField(help_text="before-3, after-1, …, restrict-30", max_length=16),
                ),
                ("open_won", models.BigIntegerField(help_text="What was still to be paid then.")),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="invoice",
            name="invoice_total",
        ),
        migrations.AddField(
            model_name="invoice",
            name="untaxed_won",
            field=models.BigIntegerField(
                db_default=0, help_text="Late interest: no part of the supply value, without VAT."
            ),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="vat_rule",
            field=models.CharField(help_text="A code of billing.vat.", max_length=24),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="position",
            field=models.PositiveIntegerField(),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_won",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("supply_won"), "+", models.F("vat_won")
                            ),
                            "+",
                            models.F("untaxed_won"),
                        ),
                    )
                ),
                name="invoice_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="invoice_line_org_id"
            ),
        ),
        migrations.AddField(
            model_name="creditnote",
            name="invoice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_notes",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="creditnote",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="creditnoteline",
            name="credit_note",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.creditnote",
            ),
        ),
        migrations.AddField(
            model_name="creditnoteline",
            name="invoice_line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credits",
                to="billing.invoiceline",
            ),
        ),
        migrations.AddField(
            model_name="creditnoteline",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="keptdocument",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="invoice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reminders",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="credit_note_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_won",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("supply_won"), "+", models.F("vat_won")
                            ),
                            "+",
                            models.F("untaxed_won"),
                        ),
                    )
                ),
                name="credit_note_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_won__gt", 0)), name="credit_note_above_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.UniqueConstraint(
                fields=("credit_note", "position"), name="credit_note_line_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="keptdocument",
            constraint=models.UniqueConstraint(
                fields=("subject", "language"), name="kept_document_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(fields=("invoice", "step"), name="reminder_once"),
        ),
        TenantTable("billing_creditnote"),
        TenantTable("billing_creditnoteline"),
        TenantTable("billing_keptdocument"),
        TenantTable("billing_reminder"),
        TenantForeignKey("billing_creditnote", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_creditnoteline", "credit_note_id", "billing_creditnote"),
        TenantForeignKey("billing_creditnoteline", "invoice_line_id", "billing_invoiceline"),
        TenantForeignKey("billing_reminder", "invoice_id", "billing_invoice"),
        AppendOnly("billing_creditnote"),
        AppendOnly("billing_creditnoteline"),
        AppendOnly("billing_keptdocument"),
        AppendOnly("billing_reminder"),
    ]
