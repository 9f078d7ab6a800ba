"""Cards on file, charges, disputes, and what the processor tells. Behind the wall."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0019_payments"), ("tenants", "0022_organization_region")]

    operations = [
        migrations.CreateModel(
            name="BalanceEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=16)),
                ("reference", models.CharField(max_length=80)),
                ("kind", models.CharField(max_length=40)),
                ("won", models.BigIntegerField()),
                ("fee_won", models.BigIntegerField()),
                (
                    "about",
                    models.CharField(
                        blank=True, help_text="Payment, refund or dispute.", max_length=80
                    ),
                ),
                ("at", models.DateTimeField()),
                ("read_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "reference"), name="balance_entry_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CardCharge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("won", models.BigIntegerField()),
                ("state", models.CharField(default="wanted", max_length=16)),
                (
                    "reference",
                    models.CharField(blank=True, help_text="Of the processor.", max_length=80),
                ),
                (
                    "refusal",
                    models.CharField(blank=True, help_text="The processor's code.", max_length=80),
                ),
                ("made_at", models.DateTimeField()),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                (
                    "due_at",
                    models.DateTimeField(help_text="When the processor is asked about it (again)."),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
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
            ],
            options={
                "ordering": ["-made_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="CardChargeMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("because", models.CharField(blank=True, max_length=300)),
                ("at", models.DateTimeField()),
                (
                    "charge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.cardcharge",
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
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="CardOnFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("provider", models.CharField(max_length=16)),
                (
                    "customer",
                    models.CharField(help_text="The processor's name of the payer.", max_length=80),
                ),
                (
                    "setup",
                    models.CharField(
                        help_text="The processor's session.", max_length=200, unique=True
                    ),
                ),
                ("method", models.CharField(blank=True, max_length=80)),
                ("brand", models.CharField(blank=True, max_length=24)),
                ("last4", models.CharField(blank=True, max_length=4)),
                ("expires", models.CharField(blank=True, max_length=7)),
                ("asked_at", models.DateTimeField()),
                ("added_at", models.DateTimeField(null=True)),
                ("removed_at", models.DateTimeField(null=True)),
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
                "ordering": ["-asked_at", "-id"],
            },
        ),
        migrations.AddField(
            model_name="cardcharge",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="charges",
                to="billing.cardonfile",
            ),
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("reference", models.CharField(max_length=80, unique=True)),
                ("won", models.BigIntegerField()),
                ("reason", models.CharField(blank=True, max_length=60)),
                ("state", models.CharField(max_length=32)),
                ("answer_by", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["-opened_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="ProviderEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=16)),
                ("event", models.CharField(max_length=80)),
                ("kind", models.CharField(max_length=80)),
                (
                    "about",
                    models.CharField(help_text="The object that it is about.", max_length=80),
                ),
                ("told_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("due_at", models.DateTimeField(help_text="None: it is done with.", null=True)),
                ("outcome", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "ordering": ["-received_at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["due_at"],
                        name="provider_event_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "event"), name="provider_event_once"
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="cardonfile",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="card_org_id"),
        ),
        migrations.AddConstraint(
            model_name="cardonfile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("added_at__isnull", False), ("removed_at__isnull", True)),
                fields=("organization",),
                name="card_one_in_use",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardcharge",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="charge_org_id"),
        ),
        migrations.AddConstraint(
            model_name="cardcharge",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reference", ""), _negated=True),
                fields=("reference",),
                name="charge_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardcharge",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("wanted", "processing", "action"))),
                fields=("invoice",),
                name="charge_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardcharge",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="charge_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="cardcharge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["wanted", "processing", "action", "paid", "failed", "canceled"])
                ),
                name="charge_state",
            ),
        ),
        TenantTable("billing_cardonfile"),
        TenantTable("billing_cardcharge"),
        TenantTable("billing_cardchargemove"),
        TenantTable("billing_dispute"),
        TenantForeignKey("billing_cardcharge", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_cardcharge", "card_id", "billing_cardonfile"),
        TenantForeignKey("billing_cardchargemove", "charge_id", "billing_cardcharge"),
        TenantForeignKey("billing_dispute", "payment_id", "billing_payment"),
        AppendOnly("billing_cardchargemove"),
        AppendOnly("billing_balanceentry"),
    ]
