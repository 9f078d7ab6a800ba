"""Budgets of other periods than the month, thresholds of their own, raises by request.

"One budget a subject" becomes "one a subject and period"; what there is stays a monthly budget.
"""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0012_month_end"),
        ("tenants", "0022_organization_region"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BudgetRaise",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("from_won", models.BigIntegerField(help_text="The limit when it was asked for.")),
                ("to_won", models.BigIntegerField()),
                ("until_at", models.DateTimeField(null=True)),
                ("because", models.CharField(max_length=300)),
                ("asked_at", models.DateTimeField()),
                ("decision", models.CharField(default="open", max_length=12)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_because", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="budget",
            name="budget_once_per_subject",
        ),
        migrations.RemoveConstraint(
            model_name="budget",
            name="budget_scope",
        ),
        migrations.AddField(
            model_name="budget",
            name="closed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="budget",
            name="covers",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=24),
                db_default=[],
                default=list,
                help_text="Of a line: public ids of its projects; empty: the whole organization.",
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="ends_on",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="budget",
            name="period",
            field=models.CharField(db_default="month", default="month", max_length=8),
        ),
        migrations.AddField(
            model_name="budget",
            name="starts_on",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="budget",
            name="thresholds",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(),
                db_default=[],
                default=list,
                help_text="Percent of the limit at which people are told; empty: the usual ones.",
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="year",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="budgetalert",
            name="month",
            field=models.CharField(help_text="Its period: 2026-11, 2026 or running.", max_length=7),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("closed_at", None), models.Q(("period", "running"), _negated=True)
                ),
                fields=("subject", "period", "year"),
                name="budget_once_per_period",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("closed_at", None), ("period", "running")),
                expressions=[
                    ("subject", "="),
                    (
                        models.Func(
                            "starts_on",
                            "ends_on",
                            function="DATERANGE",
                            output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                        ),
                        "&&",
                    ),
                ],
                name="budget_running_once_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope__in", ["organization", "project", "key", "line"])),
                name="budget_scope_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("ends_on", None), ("period", "month"), ("starts_on", None), ("year", None)
                    ),
                    models.Q(("ends_on", None), ("period", "year"), ("starts_on", None)),
                    models.Q(("period", "running"), ("starts_on__isnull", False), ("year", None)),
                    _connector="OR",
                ),
                name="budget_period_fits",
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_on", None), ("ends_on__gt", models.F("starts_on")), _connector="OR"
                ),
                name="budget_ends_after_start",
            ),
        ),
        migrations.AddField(
            model_name="budgetraise",
            name="asked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="budgetraise",
            name="budget",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="raises",
                to="billing.budget",
            ),
        ),
        migrations.AddField(
            model_name="budgetraise",
            name="decided_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="budgetraise",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetraise",
            constraint=models.UniqueConstraint(
                condition=models.Q(("decision", "open")),
                fields=("budget", "asked_by"),
                name="budget_raise_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetraise",
            constraint=models.CheckConstraint(
                condition=models.Q(("decision__in", ["open", "approved", "refused", "withdrawn"])),
                name="budget_raise_decision",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetraise",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at", None), ("decision", "open")),
                    models.Q(
                        models.Q(("decision", "open"), _negated=True), ("decided_at__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="budget_raise_decided_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetraise",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("to_won__gt", models.F("from_won")), ("to_won__lte", 9000000000)
                ),
                name="budget_raise_is_more",
            ),
        ),
        TenantTable("billing_budgetraise"),
        TenantForeignKey("billing_budgetraise", "budget_id", "billing_budget"),
        AppendOnly("billing_budgetraise", unless="OLD.decision = 'open'"),
    ]
