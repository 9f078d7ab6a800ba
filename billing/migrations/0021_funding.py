"""Funding sources and what each paid. Behind the wall; draws never change."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_cards"), ("tenants", "0022_organization_region")]

    operations = [
        migrations.CreateModel(
            name="FundingSource",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=16)),
                ("place", models.PositiveSmallIntegerField(help_text="The lowest is drawn first.")),
                ("name", models.CharField(max_length=80)),
                ("programme", models.CharField(blank=True, max_length=120)),
                ("provider_number", models.CharField(blank=True, max_length=40)),
                ("cap_won", models.BigIntegerField(help_text="None: no end.", null=True)),
                ("starts", models.DateField()),
                ("last_day", models.DateField()),
                (
                    "usable_until",
                    models.DateField(help_text="The last day on which it may be drawn."),
                ),
                ("covers", models.JSONField(default=list, help_text="Kinds of cost; empty: all.")),
                (
                    "own_share",
                    models.PositiveSmallIntegerField(default=0, help_text="Parts of ten thousand."),
                ),
                ("added_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
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
                "ordering": ["place", "id"],
            },
        ),
        migrations.CreateModel(
            name="FundingDraw",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "cost",
                    models.CharField(help_text="Position of the line, or vat.", max_length=24),
                ),
                ("won", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draws",
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
                    "share_of",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shares",
                        to="billing.fundingsource",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draws",
                        to="billing.fundingsource",
                    ),
                ),
            ],
            options={
                "ordering": ["invoice", "position"],
            },
        ),
        migrations.AddConstraint(
            model_name="fundingsource",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="funding_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingsource",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["own", "prepaid", "voucher", "subsidy"])),
                name="funding_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingsource",
            constraint=models.CheckConstraint(
                condition=models.Q(("starts__lte", models.F("last_day"))), name="funding_period"
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingsource",
            constraint=models.CheckConstraint(
                condition=models.Q(("cap_won__isnull", True), ("cap_won__gte", 0), _connector="OR"),
                name="funding_cap",
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingsource",
            constraint=models.CheckConstraint(
                condition=models.Q(("own_share__lte", 10000)), name="funding_own_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingdraw",
            constraint=models.UniqueConstraint(
                fields=("invoice", "position"), name="funding_draw_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="fundingdraw",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="funding_draw_something"
            ),
        ),
        TenantTable("billing_fundingsource"),
        TenantTable("billing_fundingdraw"),
        TenantForeignKey("billing_fundingdraw", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_fundingdraw", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_fundingdraw", "share_of_id", "billing_fundingsource"),
        AppendOnly("billing_fundingdraw"),
    ]
