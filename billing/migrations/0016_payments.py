"""What was paid: the bank, payments and where they went, cards, refunds, disputes. Behind the
wall; what is a document or a move is append-only."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0015_etax"),
        ("tenants", "0022_organization_region"),
    ]

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
                (
                    "by",
                    models.CharField(help_text="Opaque id of who handed it in.", max_length=120),
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
                ("by", models.CharField(max_length=120)),
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
            name="Payment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("source", models.CharField(max_length=16)),
                (
                    "reference",
                    models.CharField(help_text="Of the bank line or the processor.", max_length=80),
                ),
                ("won", models.BigIntegerField()),
                ("received_at", models.DateTimeField()),
                ("payer", models.CharField(blank=True, max_length=100)),
                (
                    "method",
                    models.CharField(
                        blank=True, help_text="Such as Visa •••• 4242.", max_length=60
                    ),
                ),
                ("booked_at", models.DateTimeField()),
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
                "ordering": ["-received_at", "-id"],
            },
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
            name="PaymentAllocation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("won", models.BigIntegerField()),
                ("because", models.CharField(max_length=24)),
                ("at", models.DateTimeField()),
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
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allocations",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="PaymentReversal",
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
                    models.CharField(
                        help_text="What it is reversed for; once each.", max_length=80
                    ),
                ),
                ("won", models.BigIntegerField()),
                ("because", models.CharField(max_length=300)),
                ("at", models.DateTimeField()),
                ("by", models.CharField(max_length=120)),
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
                        related_name="reversals",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
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
        migrations.CreateModel(
            name="Refund",
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
                ("state", models.CharField(default="wanted", max_length=16)),
                (
                    "reference",
                    models.CharField(
                        blank=True, help_text="Of the bank or processor.", max_length=80
                    ),
                ),
                ("decided_at", models.DateTimeField()),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("due_at", models.DateTimeField()),
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
                        related_name="refunds",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["-decided_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="RefundMove",
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
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="billing.refund",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
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
                ("by", models.CharField(max_length=120)),
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
                ("by", models.CharField(max_length=120)),
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
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="payment_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(fields=("source", "reference"), name="payment_once"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="payment_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("source__in", ["bank", "stripe"])), name="payment_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentallocation",
            constraint=models.CheckConstraint(
                condition=models.Q(("won", 0), _negated=True), name="allocation_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentreversal",
            constraint=models.UniqueConstraint(
                fields=("payment", "reference"), name="reversal_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentreversal",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="reversal_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="refund_org_id"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("won__gt", 0)), name="refund_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["wanted", "sent", "done", "failed"])),
                name="refund_state",
            ),
        ),
        TenantTable("billing_bankstatement"),
        TenantTable("billing_bankline"),
        TenantTable("billing_bankbooking"),
        TenantTable("billing_banklinemove"),
        TenantTable("billing_virtualaccount"),
        TenantTable("billing_payment"),
        TenantTable("billing_paymentallocation"),
        TenantTable("billing_paymentreversal"),
        TenantTable("billing_refund"),
        TenantTable("billing_refundmove"),
        TenantTable("billing_cardonfile"),
        TenantTable("billing_cardcharge"),
        TenantTable("billing_cardchargemove"),
        TenantTable("billing_dispute"),
        TenantForeignKey("billing_bankline", "statement_id", "billing_bankstatement"),
        TenantForeignKey("billing_bankbooking", "statement_id", "billing_bankstatement"),
        TenantForeignKey("billing_banklinemove", "line_id", "billing_bankline"),
        TenantForeignKey("billing_paymentallocation", "payment_id", "billing_payment"),
        TenantForeignKey("billing_paymentallocation", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_paymentreversal", "payment_id", "billing_payment"),
        TenantForeignKey("billing_refund", "payment_id", "billing_payment"),
        TenantForeignKey("billing_refundmove", "refund_id", "billing_refund"),
        TenantForeignKey("billing_cardcharge", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_cardcharge", "card_id", "billing_cardonfile"),
        TenantForeignKey("billing_cardchargemove", "charge_id", "billing_cardcharge"),
        TenantForeignKey("billing_dispute", "payment_id", "billing_payment"),
        AppendOnly("billing_bankstatement"),
        AppendOnly("billing_bankline"),
        AppendOnly("billing_bankbooking"),
        AppendOnly("billing_banklinemove"),
        AppendOnly("billing_payment"),
        AppendOnly("billing_paymentallocation"),
        AppendOnly("billing_paymentreversal"),
        AppendOnly("billing_refundmove"),
        AppendOnly("billing_cardchargemove"),
        AppendOnly("billing_balanceentry"),
    ]
