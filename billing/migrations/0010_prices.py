"""Prices by offering class, terms of the list, and agreements of organizations."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations.special import RunSQL

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

OWN = "organization_id = (SELECT NULLIF(current_setting('app.org', true), '')::bigint)"


class EndsEarlier(RunSQL):
    """Rows of ``table`` are append-only, except that ``ends_at`` may come earlier."""

    def __init__(self, table: str) -> None:
        may = (
            "to_jsonb(NEW) - 'ends_at' = to_jsonb(OLD) - 'ends_at' AND NEW.ends_at IS NOT NULL "
            "AND (OLD.ends_at IS NULL OR NEW.ends_at < OLD.ends_at)"
        )
        refuse = f"FOR EACH ROW {{when}} EXECUTE FUNCTION {table}_append_only()"
        super().__init__(
            [
                f"DROP TRIGGER append_only ON {table}",
                f"CREATE TRIGGER append_only BEFORE DELETE ON {table} {refuse.format(when='')}",
                f"CREATE TRIGGER append_only_update BEFORE UPDATE ON {table} "
                + refuse.format(when=f"WHEN (NOT ({may}))"),
            ],
            [
                f"DROP TRIGGER append_only_update ON {table}",
                f"DROP TRIGGER append_only ON {table}",
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
                + refuse.format(when=""),
            ],
        )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0009_invoices_posted"),
        ("tenants", "0022_organization_region"),
    ]

    operations = [
        migrations.AddField(
            "tokentariff",
            "offering_class",
            models.CharField(
                blank=True,
                default="",
                help_text="Chip of the offerings that cost something else; empty: all.",
                max_length=24,
            ),
        ),
        migrations.AlterModelOptions(
            "tokentariff", {"ordering": ["model", "offering_class", "-starts_at"]}
        ),
        migrations.RemoveConstraint("tokentariff", "token_tariff_once"),
        migrations.AddConstraint(
            "tokentariff",
            models.UniqueConstraint(
                fields=("model", "offering_class", "starts_at"), name="token_tariff_once"
            ),
        ),
        migrations.CreateModel(
            name="PriceTerm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=24)),
                ("item", models.CharField(max_length=80)),
                ("value", models.JSONField(help_text="As billing.term_values reads it.")),
                ("starts_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["kind", "item", "-starts_at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "item", "starts_at"), name="price_term_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Agreement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                (
                    "reference",
                    models.CharField(help_text="Number of the signed document.", max_length=80),
                ),
                ("starts_at", models.DateTimeField()),
                (
                    "ends_at",
                    models.DateTimeField(help_text="Empty: until somebody ends it.", null=True),
                ),
                ("made_at", models.DateTimeField()),
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
                "ordering": ["-starts_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="agreement_org_id"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at", None),
                            ("ends_at__gte", models.F("starts_at")),
                            _connector="OR",
                        ),
                        name="agreement_forward",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AgreedTerm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=24)),
                ("item", models.CharField(max_length=80)),
                ("value", models.JSONField(help_text="As billing.term_values reads it.")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(null=True)),
                (
                    "agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="terms",
                        to="billing.agreement",
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
                "ordering": ["agreement", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="agreed_term_org_id"
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("organization", "="),
                            ("kind", "="),
                            ("item", "="),
                            (
                                models.Func(
                                    "starts_at",
                                    "ends_at",
                                    django.contrib.postgres.fields.ranges.RangeBoundary(),
                                    function="TSTZRANGE",
                                    output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="agreed_term_no_overlap",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AgreedTariff",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("item", models.CharField(max_length=80)),
                ("offering_class", models.CharField(blank=True, default="", max_length=24)),
                (
                    "based_on",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="The list's version that it follows.",
                        max_length=24,
                    ),
                ),
                ("price_in", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                ("price_cached", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                ("price_out", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                ("won", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                ("starts_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "term",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tariffs",
                        to="billing.agreedterm",
                    ),
                ),
            ],
            options={
                "ordering": ["item", "offering_class", "-starts_at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("term", "offering_class", "starts_at"), name="agreed_tariff_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("price_cached__gte", 0),
                                ("price_in__gte", 0),
                                ("price_out__gte", 0),
                                ("won__isnull", True),
                            ),
                            models.Q(
                                ("price_cached__isnull", True),
                                ("price_in__isnull", True),
                                ("price_out__isnull", True),
                                ("won__gte", 0),
                            ),
                            _connector="OR",
                        ),
                        name="agreed_tariff_one_kind",
                    ),
                ],
            },
        ),
        # The organization reads what was agreed; only platform work writes it.
        TenantTable("billing_agreement", mine="false", also_readable=OWN),
        TenantTable("billing_agreedterm", mine="false", also_readable=OWN),
        TenantTable("billing_agreedtariff", mine="false", also_readable=OWN),
        TenantForeignKey("billing_agreedterm", "agreement_id", "billing_agreement"),
        TenantForeignKey("billing_agreedtariff", "term_id", "billing_agreedterm"),
        AppendOnly("billing_priceterm"),
        AppendOnly("billing_agreement"),
        AppendOnly("billing_agreedterm"),
        AppendOnly("billing_agreedtariff"),
        EndsEarlier("billing_agreement"),
        EndsEarlier("billing_agreedterm"),
    ]
