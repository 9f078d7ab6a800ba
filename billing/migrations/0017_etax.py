"""E-tax invoices behind the wall; what may be out is frozen."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

# What a document says changes only while nothing of it can be out, its number at the tax service
# once, from none. Nothing is deleted.
_FROZEN = (
    "organization_id, key, invoice_id, source, sheet, serial, code, tax, type_code, write_date, "
    "supply_won, vat_won, total_won, body"
)
_OLD = ", ".join(f"OLD.{one.strip()}" for one in _FROZEN.split(","))
_NEW = ", ".join(f"NEW.{one.strip()}" for one in _FROZEN.split(","))
FREEZE = [
    "CREATE FUNCTION billing_etaxdocument_frozen() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN RAISE EXCEPTION 'billing_etaxdocument is frozen' "
    "USING ERRCODE = 'restrict_violation'; END $$",
    "CREATE TRIGGER frozen BEFORE UPDATE ON billing_etaxdocument FOR EACH ROW WHEN ("
    f"(OLD.state NOT IN ('blocked') AND ROW({_OLD}) IS DISTINCT FROM ROW({_NEW})) "
    "OR (OLD.approval <> '' AND OLD.approval <> NEW.approval)"
    ") EXECUTE FUNCTION billing_etaxdocument_frozen()",
    "CREATE TRIGGER kept BEFORE DELETE ON billing_etaxdocument FOR EACH ROW "
    "EXECUTE FUNCTION billing_etaxdocument_frozen()",
    "CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON billing_etaxdocument FOR EACH STATEMENT "
    "EXECUTE FUNCTION billing_etaxdocument_frozen()",
]
THAW = [
    "DROP TRIGGER kept_truncate ON billing_etaxdocument",
    "DROP TRIGGER kept ON billing_etaxdocument",
    "DROP TRIGGER frozen ON billing_etaxdocument",
    "DROP FUNCTION billing_etaxdocument_frozen()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0016_approvals_wall"),
        ("tenants", "0022_organization_region"),
    ]

    operations = [
        migrations.CreateModel(
            name="EtaxCertificate",
            fields=[
                ("number", models.CharField(max_length=10, primary_key=True, serialize=False)),
                ("expires_at", models.DateTimeField(null=True)),
                ("fault", models.CharField(blank=True, default="", max_length=300)),
                ("seen_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="EtaxDocument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("key", models.CharField(max_length=24, unique=True)),
                ("source", models.CharField(max_length=24)),
                ("sheet", models.CharField(default="invoice", max_length=12)),
                ("serial", models.PositiveSmallIntegerField(default=1)),
                (
                    "code",
                    models.CharField(
                        blank=True, help_text="Why it amends: 01 to 06.", max_length=2
                    ),
                ),
                ("tax", models.CharField(max_length=12)),
                ("type_code", models.CharField(max_length=4)),
                ("write_date", models.DateField(help_text="작성일자.")),
                ("due_date", models.DateField(help_text="To be issued by this day.")),
                ("supply_won", models.BigIntegerField()),
                ("vat_won", models.BigIntegerField()),
                ("total_won", models.BigIntegerField()),
                ("body", models.JSONField(help_text="The whole document, in our own words.")),
                (
                    "faults",
                    models.JSONField(
                        default=list, help_text="Why it cannot be issued as it stands."
                    ),
                ),
                ("state", models.CharField(max_length=12)),
                ("state_since", models.DateTimeField()),
                (
                    "approval",
                    models.CharField(
                        blank=True, default="", help_text="The tax service's number.", max_length=24
                    ),
                ),
                ("issued_at", models.DateTimeField(null=True)),
                ("send_by", models.DateField(null=True)),
                ("refusal_code", models.CharField(blank=True, default="", max_length=16)),
                ("refusal", models.CharField(blank=True, default="", max_length=300)),
                (
                    "tries",
                    models.PositiveIntegerField(default=0, help_text="Calls begun under this key."),
                ),
                ("failures", models.PositiveSmallIntegerField(default=0, help_text="In a row.")),
                (
                    "next_at",
                    models.DateTimeField(
                        help_text="When to look again; a sweep that looks puts it off as its lease.",
                        null=True,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="etax",
                        to="billing.invoice",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "original",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="amendments",
                        to="billing.etaxdocument",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="EtaxAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("deed", models.CharField(max_length=12)),
                ("outcome", models.CharField(max_length=12)),
                ("code", models.CharField(blank=True, max_length=16)),
                ("sentence", models.CharField(blank=True, max_length=300)),
                ("at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="billing.etaxdocument",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="EtaxMove",
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
                ("by", models.CharField(help_text="usr_…, key_… or system:…", max_length=60)),
                ("at", models.DateTimeField()),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.etaxdocument",
                    ),
                ),
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
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="EtaxProfile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("representative", models.CharField(blank=True, max_length=100)),
                ("trade", models.CharField(blank=True, help_text="업태.", max_length=100)),
                ("item", models.CharField(blank=True, help_text="종목.", max_length=100)),
                ("place", models.CharField(blank=True, help_text="종사업장번호.", max_length=4)),
                ("contact", models.CharField(blank=True, max_length=100)),
                (
                    "email",
                    models.CharField(
                        blank=True, help_text="Gets the e-tax invoice.", max_length=100
                    ),
                ),
                (
                    "tax",
                    models.CharField(
                        default="taxable",
                        help_text="Set by the operator: how supplies are taxed.",
                        max_length=12,
                    ),
                ),
                ("changed_at", models.DateTimeField()),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="etax_profile",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="etaxdocument",
            index=models.Index(
                condition=models.Q(("next_at__isnull", False)), fields=["next_at"], name="etax_next"
            ),
        ),
        migrations.AddConstraint(
            model_name="etaxdocument",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="etax_org_id"),
        ),
        migrations.AddConstraint(
            model_name="etaxdocument",
            constraint=models.UniqueConstraint(
                fields=("source", "sheet", "serial"), name="etax_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="etaxdocument",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "rejected"), _negated=True),
                fields=("source", "sheet"),
                name="etax_one_that_counts",
            ),
        ),
        migrations.AddConstraint(
            model_name="etaxdocument",
            constraint=models.UniqueConstraint(
                condition=models.Q(("approval", ""), _negated=True),
                fields=("approval",),
                name="etax_approval_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="etaxdocument",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "blocked",
                            "prepared",
                            "issued",
                            "sent",
                            "accepted",
                            "rejected",
                            "amended",
                            "elsewhere",
                            "waived",
                        ],
                    )
                ),
                name="etax_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="etaxdocument",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_won",
                        django.db.models.expressions.CombinedExpression(
                            models.F("supply_won"), "+", models.F("vat_won")
                        ),
                    )
                ),
                name="etax_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="etaxprofile",
            constraint=models.CheckConstraint(
                condition=models.Q(("tax__in", ["taxable", "zero_rated", "exempt"])),
                name="etax_profile_tax",
            ),
        ),
        *(TenantTable(f"billing_etax{one}") for one in ("document", "attempt", "move", "profile")),
        TenantForeignKey("billing_etaxdocument", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_etaxdocument", "original_id", "billing_etaxdocument"),
        TenantForeignKey("billing_etaxmove", "document_id", "billing_etaxdocument"),
        TenantForeignKey("billing_etaxattempt", "document_id", "billing_etaxdocument"),
        AppendOnly("billing_etaxmove"),
        AppendOnly("billing_etaxattempt"),
        migrations.RunSQL(FREEZE, THAW),
    ]
