"""The operator's bank: statements and their lines. Behind the wall, and append-only."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0017_etax"), ("tenants", "0022_organization_region")]

    operations = [
        migrations.CreateModel(
            name="BankStatement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("content", models.BinaryField()),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("handed_in_at", models.DateTimeField()),
                ("by_ref", models.CharField(help_text="Opaque id of who did it.", max_length=120)),
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
                "ordering": ["-handed_in_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="BankLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("position", models.PositiveIntegerField(help_text="Line of the file.")),
                (
                    "content",
                    models.CharField(help_text="Digest of what the line says.", max_length=64),
                ),
                ("at", models.DateTimeField(help_text="When the bank booked it.")),
                ("won", models.BigIntegerField()),
                ("payer", models.CharField(blank=True, max_length=100)),
                ("memo", models.CharField(blank=True, max_length=200)),
                (
                    "account",
                    models.CharField(
                        blank=True, help_text="Virtual account, if any.", max_length=40
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
                    "statement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="billing.bankstatement",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="BankBooking",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("lines", models.PositiveIntegerField()),
                ("matched", models.PositiveIntegerField()),
                (
                    "repeated",
                    models.PositiveIntegerField(help_text="Lines that were known already."),
                ),
                ("total_won", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("by_ref", models.CharField(help_text="Opaque id of who did it.", max_length=120)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "statement",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="booking",
                        to="billing.bankstatement",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="VirtualAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("bank", models.CharField(max_length=40)),
                ("number", models.CharField(help_text="Digits only.", max_length=40, unique=True)),
                ("given_at", models.DateTimeField()),
                ("by_ref", models.CharField(help_text="Opaque id of who did it.", max_length=120)),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BankLineMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("from_state", models.CharField(blank=True, max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                (
                    "payment",
                    models.CharField(
                        blank=True, help_text="Public id of the payment.", max_length=24
                    ),
                ),
                ("because", models.CharField(blank=True, max_length=300)),
                ("at", models.DateTimeField()),
                ("by_ref", models.CharField(help_text="Opaque id of who did it.", max_length=120)),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.bankline",
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
                "ordering": ["line", "position"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("line", "position"), name="bank_line_move_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_state__in", ["open", "matched", "payout", "returned"])
                        ),
                        name="bank_line_move_state",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="bankstatement",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="bank_statement_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="bank_line_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.UniqueConstraint(fields=("content",), name="bank_line_once"),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="bank_line_deposit"
            ),
        ),
        TenantTable("billing_bankstatement"),
        TenantTable("billing_bankline"),
        TenantTable("billing_bankbooking"),
        TenantTable("billing_banklinemove"),
        TenantTable("billing_virtualaccount"),
        TenantForeignKey("billing_bankline", "statement_id", "billing_bankstatement"),
        TenantForeignKey("billing_bankbooking", "statement_id", "billing_bankstatement"),
        TenantForeignKey("billing_banklinemove", "line_id", "billing_bankline"),
        AppendOnly("billing_bankstatement"),
        AppendOnly("billing_bankline"),
        AppendOnly("billing_bankbooking"),
        AppendOnly("billing_banklinemove"),
    ]
