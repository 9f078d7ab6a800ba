"""The end of a month: runs, drafts and what is said about them."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, ErasableName, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_credit_notes")]

    operations = [
        migrations.CreateModel(
            name="DraftComment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=12)),
                ("text", models.CharField(max_length=2000)),
                ("by", models.CharField(max_length=120)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="InvoiceDraft",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.CharField(
                        db_default=django.db.models.functions.text.Concat(
                            models.Value("drf_"),
                            django.db.models.functions.text.Substr(
                                django.db.models.functions.text.Replace(
                                    django.db.models.functions.comparison.Cast(
                                        django.contrib.postgres.functions.RandomUUID(),
                                        models.CharField(),
                                    ),
                                    models.Value("-"),
                                    models.Value(""),
                                ),
                                1,
                                20,
                            ),
                        ),
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("state", models.CharField(db_default="stale", max_length=8)),
                (
                    "held",
                    models.BooleanField(
                        db_default=False, help_text="An objection waits for an answer."
                    ),
                ),
                ("error", models.CharField(blank=True, db_default="", max_length=300)),
                ("period_start", models.DateTimeField(null=True)),
                ("supply_won", models.BigIntegerField(db_default=0)),
                ("vat_won", models.BigIntegerField(db_default=0)),
                ("untaxed_won", models.BigIntegerField(db_default=0)),
                ("total_won", models.BigIntegerField(db_default=0)),
                ("vat_rule", models.CharField(blank=True, db_default="", max_length=24)),
                (
                    "billed_upto",
                    models.BigIntegerField(
                        db_default=0,
                        help_text="The newest invoice that it has taken into account; 0: none.",
                    ),
                ),
                ("drafted_at", models.DateTimeField(null=True)),
                (
                    "told_at",
                    models.DateTimeField(help_text="That there is a draft to look at.", null=True),
                ),
                (
                    "issue_told_at",
                    models.DateTimeField(help_text="That the invoice is issued.", null=True),
                ),
            ],
            options={
                "ordering": ["-close__month", "organization"],
            },
        ),
        migrations.CreateModel(
            name="InvoiceDraftLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("item", models.CharField(max_length=200)),
                ("usage_month", models.CharField(max_length=7)),
                ("text_ko", models.CharField(max_length=200)),
                ("text_en", models.CharField(max_length=200)),
                ("unit", models.CharField(max_length=16)),
                ("quantity", models.BigIntegerField()),
                ("unit_price", models.DecimalField(decimal_places=6, max_digits=18)),
                ("price_version", models.CharField(max_length=24)),
                ("exact_micro", models.DecimalField(decimal_places=6, max_digits=30)),
                ("amount_won", models.BigIntegerField()),
            ],
            options={
                "ordering": ["draft", "position"],
            },
        ),
        migrations.CreateModel(
            name="MonthClose",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("month", models.CharField(max_length=7, unique=True)),
                ("state", models.CharField(default="rating", max_length=12)),
                ("state_since", models.DateTimeField()),
                ("opened_at", models.DateTimeField()),
                (
                    "review_until",
                    models.DateTimeField(help_text="Customers look at their drafts until then."),
                ),
            ],
            options={
                "ordering": ["-month"],
            },
        ),
        migrations.CreateModel(
            name="MonthCloseMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=12)),
                ("to_state", models.CharField(max_length=12)),
                ("because", models.CharField(max_length=300)),
                ("actor", models.CharField(help_text="usr_…, or system:…", max_length=60)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.AddField(
            model_name="draftcomment",
            name="answers",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="answer",
                to="billing.draftcomment",
            ),
        ),
        migrations.AddField(
            model_name="draftcomment",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="invoicedraft",
            name="invoice",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="draft",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="invoicedraft",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="draftcomment",
            name="draft",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="comments",
                to="billing.invoicedraft",
            ),
        ),
        migrations.AddField(
            model_name="invoicedraftline",
            name="draft",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.invoicedraft",
            ),
        ),
        migrations.AddField(
            model_name="invoicedraftline",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthclose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["rating", "drafting", "review", "finalising", "done"])
                ),
                name="month_close_state",
            ),
        ),
        migrations.AddField(
            model_name="invoicedraft",
            name="close",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="drafts",
                to="billing.monthclose",
            ),
        ),
        migrations.AddField(
            model_name="monthclosemove",
            name="close",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="moves",
                to="billing.monthclose",
            ),
        ),
        migrations.AddConstraint(
            model_name="draftcomment",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="draft_comment_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="draftcomment",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["comment", "objection", "answer"])),
                name="draft_comment_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicedraftline",
            constraint=models.UniqueConstraint(
                fields=("draft", "position"), name="draft_line_once"
            ),
        ),
        migrations.AddIndex(
            model_name="invoicedraft",
            index=models.Index(fields=["close", "state", "organization"], name="draft_close_state"),
        ),
        migrations.AddIndex(
            model_name="invoicedraft",
            index=models.Index(
                condition=models.Q(("issue_told_at", None), ("state", "issued")),
                fields=["organization"],
                name="draft_untold",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicedraft",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="draft_org_id"),
        ),
        migrations.AddConstraint(
            model_name="invoicedraft",
            constraint=models.UniqueConstraint(fields=("organization", "close"), name="draft_once"),
        ),
        migrations.AddConstraint(
            model_name="invoicedraft",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["stale", "drafted", "nothing", "failed", "issued"])
                ),
                name="draft_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicedraft",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("invoice__isnull", False), ("state", "issued")),
                    models.Q(
                        models.Q(("state", "issued"), _negated=True), ("invoice__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="draft_issued_has_invoice",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicedraft",
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
                name="draft_total",
            ),
        ),
        TenantTable("billing_invoicedraft"),
        TenantTable("billing_invoicedraftline"),
        TenantTable("billing_draftcomment"),
        TenantForeignKey("billing_invoicedraft", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_invoicedraftline", "draft_id", "billing_invoicedraft"),
        TenantForeignKey("billing_draftcomment", "draft_id", "billing_invoicedraft"),
        TenantForeignKey("billing_draftcomment", "answers_id", "billing_draftcomment"),
        AppendOnly("billing_draftcomment"),
        ErasableName("billing_draftcomment", "by"),
        AppendOnly("billing_monthclosemove"),
    ]
