"""Fiscal years of public institutions, behind the wall; journal and register are append-only."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, ErasableName, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0013_periods"),
    ]

    operations = [
        migrations.CreateModel(
            name="BudgetLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("code", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=60)),
                (
                    "carried",
                    models.CharField(
                        blank=True, help_text="How it came from last year.", max_length=16
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["code", "carried", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Carryover",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=16)),
                (
                    "won",
                    models.BigIntegerField(
                        help_text="The most; of a commitment all that is outstanding."
                    ),
                ),
                ("because", models.CharField(max_length=300)),
                ("document", models.CharField(blank=True, max_length=80)),
                ("named_at", models.DateTimeField()),
                ("named_by", models.CharField(max_length=120)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "carried_won",
                    models.BigIntegerField(help_text="Null until the year is closed.", null=True),
                ),
            ],
            options={
                "ordering": ["kind", "pk"],
            },
        ),
        migrations.CreateModel(
            name="FiscalCommitment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                (
                    "number",
                    models.PositiveIntegerField(help_text="원인행위번호 within the year; no gaps."),
                ),
                ("origin", models.CharField(max_length=16)),
                ("subject", models.CharField(help_text="What for (적요).", max_length=120)),
                ("counterparty", models.CharField(max_length=80)),
                (
                    "document",
                    models.CharField(blank=True, help_text="Number of the paper.", max_length=80),
                ),
                ("project", models.CharField(blank=True, max_length=24)),
                (
                    "reference",
                    models.CharField(
                        blank=True, help_text="Order or month of usage.", max_length=40
                    ),
                ),
                ("month", models.CharField(blank=True, max_length=7)),
                ("on_date", models.DateField()),
                ("recorded_at", models.DateTimeField()),
                ("by", models.CharField(max_length=120)),
            ],
            options={
                "ordering": ["-number"],
            },
        ),
        migrations.CreateModel(
            name="FiscalMovement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                (
                    "number",
                    models.PositiveIntegerField(help_text="Place in the year's journal; no gaps."),
                ),
                ("kind", models.CharField(max_length=16)),
                ("won", models.BigIntegerField()),
                ("quarter", models.PositiveSmallIntegerField(default=0)),
                ("from_quarter", models.PositiveSmallIntegerField(default=0)),
                ("document", models.CharField(blank=True, max_length=80)),
                (
                    "project",
                    models.CharField(blank=True, help_text="Whose usage it books.", max_length=24),
                ),
                ("usage_month", models.CharField(blank=True, max_length=7)),
                ("on_date", models.DateField()),
                ("because", models.CharField(blank=True, max_length=300)),
                ("by", models.CharField(max_length=120)),
                ("approved_by", models.CharField(blank=True, max_length=120)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-number"],
            },
        ),
        migrations.CreateModel(
            name="FiscalTransfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("won", models.BigIntegerField()),
                ("because", models.CharField(max_length=300)),
                ("state", models.CharField(default="open", max_length=16)),
                ("asked_at", models.DateTimeField()),
                ("asked_by", models.CharField(max_length=120)),
                ("asked_ref", models.CharField(help_text="Opaque id of who asked.", max_length=64)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_by", models.CharField(blank=True, max_length=120)),
                ("decided_because", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["-asked_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="FiscalYear",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("year", models.PositiveSmallIntegerField()),
                ("state", models.CharField(default="planned", max_length=16)),
                (
                    "last_commitment",
                    models.PositiveIntegerField(default=0, help_text="Last 원인행위번호 given."),
                ),
                ("last_movement", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-year"],
            },
        ),
        migrations.CreateModel(
            name="FiscalYearMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("because", models.CharField(max_length=300)),
                ("by", models.CharField(max_length=120)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="ProjectLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("bound_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="budgetline",
            name="carried_from",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="carried_into",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="budgetline",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="carryover",
            name="into",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="carryover",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="carryovers",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="carryover",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="fiscalcommitment",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="commitments",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="fiscalcommitment",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="carryover",
            name="commitment",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="carryovers",
                to="billing.fiscalcommitment",
            ),
        ),
        migrations.AddField(
            model_name="fiscalmovement",
            name="commitment",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="movements",
                to="billing.fiscalcommitment",
            ),
        ),
        migrations.AddField(
            model_name="fiscalmovement",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="movements",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="fiscalmovement",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="fiscalmovement",
            name="reverses",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reversed_by",
                to="billing.fiscalmovement",
            ),
        ),
        migrations.AddField(
            model_name="fiscaltransfer",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="fiscaltransfer",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="fiscaltransfer",
            name="target",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="fiscalyear",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="fiscaltransfer",
            name="fiscal_year",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transfers",
                to="billing.fiscalyear",
            ),
        ),
        migrations.AddField(
            model_name="fiscalmovement",
            name="fiscal_year",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="movements",
                to="billing.fiscalyear",
            ),
        ),
        migrations.AddField(
            model_name="fiscalcommitment",
            name="fiscal_year",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="commitments",
                to="billing.fiscalyear",
            ),
        ),
        migrations.AddField(
            model_name="carryover",
            name="fiscal_year",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="carryovers",
                to="billing.fiscalyear",
            ),
        ),
        migrations.AddField(
            model_name="budgetline",
            name="fiscal_year",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.fiscalyear",
            ),
        ),
        migrations.AddField(
            model_name="fiscalyearmove",
            name="fiscal_year",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="moves",
                to="billing.fiscalyear",
            ),
        ),
        migrations.AddField(
            model_name="fiscalyearmove",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="projectline",
            name="fiscal_year",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="bindings",
                to="billing.fiscalyear",
            ),
        ),
        migrations.AddField(
            model_name="projectline",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="bindings",
                to="billing.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="projectline",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="projectline",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.project"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalyear",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="fiscal_year_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalyear",
            constraint=models.UniqueConstraint(
                fields=("organization", "year"), name="fiscal_year_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalyear",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["planned", "open", "closed"])),
                name="fiscal_year_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalyear",
            constraint=models.CheckConstraint(
                condition=models.Q(("year__gte", 2000), ("year__lte", 2999)),
                name="fiscal_year_sensible",
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscaltransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="fiscal_transfer_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscaltransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("source", models.F("target")), _negated=True),
                name="fiscal_transfer_two_lines",
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscaltransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "approved", "rejected"])),
                name="fiscal_transfer_state",
            ),
        ),
        migrations.AddIndex(
            model_name="fiscalmovement",
            index=models.Index(fields=["line", "on_date"], name="fiscal_movement_line"),
        ),
        migrations.AddIndex(
            model_name="fiscalmovement",
            index=models.Index(fields=["line", "usage_month"], name="fiscal_movement_usage"),
        ),
        migrations.AddConstraint(
            model_name="fiscalmovement",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="fiscal_movement_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalmovement",
            constraint=models.UniqueConstraint(
                fields=("fiscal_year", "number"), name="fiscal_movement_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalmovement",
            constraint=models.CheckConstraint(
                condition=models.Q(("won", 0), _negated=True),
                name="fiscal_movement_moves_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalmovement",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_quarter__lte", 4), ("quarter__lte", 4)),
                name="fiscal_movement_quarters",
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalcommitment",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="fiscal_commitment_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalcommitment",
            constraint=models.UniqueConstraint(
                fields=("fiscal_year", "number"), name="fiscal_commitment_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalcommitment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reference", ""), _negated=True),
                fields=("line", "reference", "month"),
                name="fiscal_commitment_reference",
            ),
        ),
        migrations.AddConstraint(
            model_name="fiscalcommitment",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin__in", ["document", "order", "usage"])),
                name="fiscal_commitment_origin",
            ),
        ),
        migrations.AddConstraint(
            model_name="carryover",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["named", "accident"])), name="carryover_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="carryover",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("commitment", None), ("kind", "named")),
                    models.Q(("commitment__isnull", False), ("kind", "accident")),
                    _connector="OR",
                ),
                name="carryover_of_a_commitment",
            ),
        ),
        migrations.AddConstraint(
            model_name="carryover",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "named"), ("withdrawn_at", None)),
                fields=("line",),
                name="carryover_named_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="carryover",
            constraint=models.UniqueConstraint(
                condition=models.Q(("withdrawn_at", None)),
                fields=("commitment",),
                name="carryover_commitment_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetline",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="budget_line_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetline",
            constraint=models.UniqueConstraint(
                fields=("fiscal_year", "code", "carried"), name="budget_line_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetline",
            constraint=models.CheckConstraint(
                condition=models.Q(("carried__in", ["", "named", "accident"])),
                name="budget_line_carried",
            ),
        ),
        migrations.AddConstraint(
            model_name="projectline",
            constraint=models.UniqueConstraint(
                fields=("project", "fiscal_year"), name="project_line_one_a_year"
            ),
        ),
        TenantTable("billing_fiscalyear"),
        TenantTable("billing_fiscalyearmove"),
        TenantTable("billing_budgetline"),
        TenantTable("billing_projectline"),
        TenantTable("billing_fiscalcommitment"),
        TenantTable("billing_fiscalmovement"),
        TenantTable("billing_fiscaltransfer"),
        TenantTable("billing_carryover"),
        TenantForeignKey("billing_fiscalyearmove", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_budgetline", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_budgetline", "carried_from_id", "billing_budgetline"),
        TenantForeignKey("billing_projectline", "project_id", "tenants_project"),
        TenantForeignKey("billing_projectline", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_projectline", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscalcommitment", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_fiscalcommitment", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscalmovement", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_fiscalmovement", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscalmovement", "commitment_id", "billing_fiscalcommitment"),
        TenantForeignKey("billing_fiscalmovement", "reverses_id", "billing_fiscalmovement"),
        TenantForeignKey("billing_fiscaltransfer", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_fiscaltransfer", "source_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscaltransfer", "target_id", "billing_budgetline"),
        TenantForeignKey("billing_carryover", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_carryover", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_carryover", "commitment_id", "billing_fiscalcommitment"),
        TenantForeignKey("billing_carryover", "into_id", "billing_budgetline"),
        AppendOnly("billing_fiscalyearmove"),
        ErasableName("billing_fiscalyearmove", "by"),
        AppendOnly("billing_fiscalcommitment"),
        ErasableName("billing_fiscalcommitment", "by"),
        AppendOnly("billing_fiscalmovement"),
        ErasableName("billing_fiscalmovement", "by", "approved_by"),
    ]
