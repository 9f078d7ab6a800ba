"""Tables of money: prices, budgets, fiscal years, approvals, invoices, payments."""

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    ArrayField,
    DateRangeField,
    DateTimeRangeField,
    RangeBoundary,
)
from django.contrib.postgres.functions import RandomUUID
from django.db import migrations, models
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast, Concat, Replace, Substr

from tenants.migration_ops import Tables


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _to(model: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=models.PROTECT, related_name="+", to=model, **options)


class Migration(migrations.Migration):
    initial = True

    # A database of before: see docs/adr/0018.
    replaces = [
        ("billing", name)
        for name in (
            "0001_initial",
            "0002_wall",
            "0003_system_role",
            "0004_erasable_names",
            "0005_budget_alerts",
            "0006_journal",
            "0007_accruals",
            "0008_storage_tariff",
            "0009_invoices_posted",
            "0010_prices",
            "0011_credit_notes",
            "0012_month_end",
            "0013_periods",
            "0014_fiscal",
            "0015_approvals",
            "0016_approvals_wall",
            "0017_etax",
            "0018_bank",
            "0019_payments",
            "0020_cards",
            "0021_funding",
            "0022_signed_raises",
            "0023_late_usage",
            "0024_prepaid",
            "0025_renewals",
            "0026_exports",
        )
    ]

    dependencies = [("tenants", "0001_baseline"), ("usage", "0001_baseline")]

    operations = [
        Tables(
            migrations.CreateModel(
                name="PriceLine",
                fields=[
                    ("id", models.AutoField(primary_key=True, serialize=False)),
                    ("kind", models.CharField(max_length=16)),
                    ("subject", models.CharField(max_length=64)),
                    ("price_version", models.CharField(max_length=24)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("kind", "subject", "price_version"), name="price_line_once"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="Accrual",
                fields=[
                    (
                        "pk",
                        models.CompositePrimaryKey(
                            "organization_id",
                            "day",
                            "line_id",
                            "project",
                            "subject",
                            "label",
                            "number",
                            blank=True,
                            editable=False,
                            primary_key=True,
                            serialize=False,
                        ),
                    ),
                    (
                        "organization",
                        _to("tenants.organization", db_constraint=False, db_index=False),
                    ),
                    (
                        "day",
                        models.DateField(help_text="Business day in Korea on which it was used."),
                    ),
                    ("line", _to("billing.priceline", db_constraint=False, db_index=False)),
                    ("project", models.CharField(max_length=24)),
                    (
                        "subject",
                        models.CharField(
                            help_text="Endpoint, where the line is card time.", max_length=24
                        ),
                    ),
                    (
                        "label",
                        models.CharField(help_text="Its name, chip and site.", max_length=128),
                    ),
                    ("number", models.PositiveSmallIntegerField()),
                    ("quantity", models.BigIntegerField()),
                    ("cached", models.BigIntegerField(help_text="Cached input tokens.")),
                    ("output", models.BigIntegerField(help_text="Output tokens.")),
                    ("amount_micro", models.DecimalField(decimal_places=6, max_digits=30)),
                    ("rated_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(
                                    amount_micro__gte=0,
                                    cached__gte=0,
                                    output__gte=0,
                                    quantity__gte=0,
                                ),
                                models.Q(
                                    amount_micro__lte=0,
                                    cached__lte=0,
                                    output__lte=0,
                                    quantity__lte=0,
                                ),
                                _connector="OR",
                            ),
                            name="accrual_amount_has_its_sign",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(cached=0, output=0, quantity=0, _negated=True),
                            name="accrual_of_something",
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="Unrated",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("day", models.DateField()),
                    ("project", models.CharField(max_length=24)),
                    ("kind", models.CharField(max_length=16)),
                    ("subject", models.CharField(max_length=64)),
                    ("price_version", models.CharField(max_length=24)),
                    (
                        "because",
                        models.CharField(help_text="no_price or implausible.", max_length=16),
                    ),
                    ("seen_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=(
                                "organization",
                                "day",
                                "project",
                                "kind",
                                "subject",
                                "price_version",
                            ),
                            name="unrated_once",
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="RatingMark",
                fields=[
                    (
                        "id",
                        models.PositiveSmallIntegerField(
                            default=1, primary_key=True, serialize=False
                        ),
                    ),
                    (
                        "recorded_at",
                        models.DateTimeField(help_text="All that was recorded before is rated."),
                    ),
                    (
                        "day",
                        models.DateField(
                            help_text="The first business day that is not rated as a whole."
                        ),
                    ),
                    ("rated_at", models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name="Agreement",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
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
                ],
                options={
                    "ordering": ["-starts_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="agreement_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ends_at=None, ends_at__gte=models.F("starts_at"), _connector="OR"
                            ),
                            name="agreement_forward",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="AgreedTerm",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "agreement",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="terms", to="billing.agreement"
                        ),
                    ),
                    ("kind", models.CharField(max_length=24)),
                    ("item", models.CharField(max_length=80)),
                    ("value", models.JSONField(help_text="As billing.term_values reads it.")),
                    ("starts_at", models.DateTimeField()),
                    ("ends_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["agreement", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="agreed_term_org_id"
                        ),
                        ExclusionConstraint(
                            expressions=[
                                ("organization", "="),
                                ("kind", "="),
                                ("item", "="),
                                (
                                    models.Func(
                                        "starts_at",
                                        "ends_at",
                                        RangeBoundary(),
                                        function="TSTZRANGE",
                                        output_field=DateTimeRangeField(),
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
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "term",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="tariffs",
                            to="billing.agreedterm",
                        ),
                    ),
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
                    (
                        "price_cached",
                        models.DecimalField(decimal_places=6, max_digits=18, null=True),
                    ),
                    ("price_out", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                    ("won", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                    ("starts_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["item", "offering_class", "-starts_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("term", "offering_class", "starts_at"),
                            name="agreed_tariff_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(
                                    price_cached__gte=0,
                                    price_in__gte=0,
                                    price_out__gte=0,
                                    won__isnull=True,
                                ),
                                models.Q(
                                    price_cached__isnull=True,
                                    price_in__isnull=True,
                                    price_out__isnull=True,
                                    won__gte=0,
                                ),
                                _connector="OR",
                            ),
                            name="agreed_tariff_one_kind",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ApprovalMatrix",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("version", models.PositiveIntegerField()),
                    (
                        "rules",
                        models.JSONField(
                            help_text="As billing.approvals.matrix.to_json writes them."
                        ),
                    ),
                    ("because", models.CharField(max_length=300)),
                    ("by", models.CharField(max_length=120)),
                    (
                        "by_ref",
                        models.CharField(
                            blank=True, help_text="usr_… of who wrote it.", max_length=24
                        ),
                    ),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["-version"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "version"), name="approval_matrix_version"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="ApprovalRequest",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("kind", models.CharField(max_length=24)),
                    (
                        "subject",
                        models.CharField(help_text="Public id of what it is about.", max_length=64),
                    ),
                    ("title", models.CharField(max_length=120)),
                    (
                        "project",
                        models.CharField(
                            blank=True, help_text="Empty: the organization.", max_length=24
                        ),
                    ),
                    ("data_class", models.CharField(max_length=16)),
                    ("amount_won", models.BigIntegerField(help_text="Of the running round.")),
                    ("because", models.CharField(blank=True, max_length=300)),
                    ("requested_by", _to(settings.AUTH_USER_MODEL)),
                    ("requested_label", models.CharField(max_length=120)),
                    ("requested_at", models.DateTimeField()),
                    ("round", models.PositiveSmallIntegerField(default=1)),
                    ("state", models.CharField(default="waiting", max_length=12)),
                    ("state_since", models.DateTimeField()),
                    ("expires_at", models.DateTimeField()),
                    (
                        "reminders",
                        models.PositiveSmallIntegerField(
                            default=0, help_text="Sent in this round."
                        ),
                    ),
                    (
                        "result",
                        models.CharField(
                            blank=True, help_text="Public id of what came of it.", max_length=64
                        ),
                    ),
                    (
                        "fault",
                        models.CharField(
                            blank=True, help_text="Why it was not carried out.", max_length=300
                        ),
                    ),
                ],
                options={
                    "ordering": ["-requested_at", "-id"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(
                                state__in=("waiting", "approved", "failed", "changed")
                            ),
                            fields=["organization", "expires_at"],
                            name="approval_open",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="approval_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(
                                state__in=("waiting", "approved", "failed", "changed")
                            ),
                            fields=("organization", "kind", "subject"),
                            name="approval_open_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=[
                                    "waiting",
                                    "approved",
                                    "done",
                                    "failed",
                                    "changed",
                                    "refused",
                                    "withdrawn",
                                    "expired",
                                ]
                            ),
                            name="approval_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(amount_won__gte=0, amount_won__lte=1000000000000000),
                            name="approval_amount",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ApprovalTerms",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="terms",
                            to="billing.approvalrequest",
                        ),
                    ),
                    ("round", models.PositiveSmallIntegerField()),
                    ("terms", models.JSONField()),
                    ("amount_won", models.BigIntegerField()),
                    (
                        "matrix_version",
                        models.PositiveIntegerField(help_text="0: the one to begin with."),
                    ),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["round"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("request", "round"), name="approval_terms_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="ApprovalStep",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="steps",
                            to="billing.approvalrequest",
                        ),
                    ),
                    ("round", models.PositiveSmallIntegerField()),
                    ("position", models.PositiveSmallIntegerField(help_text="From 1.")),
                    ("roles", ArrayField(base_field=models.CharField(max_length=16), default=list)),
                    (
                        "members",
                        ArrayField(base_field=models.CharField(max_length=24), default=list),
                    ),
                    ("needed", models.PositiveSmallIntegerField(default=1)),
                ],
                options={
                    "ordering": ["round", "position"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="approval_step_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("request", "round", "position"), name="approval_step_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(needed__gte=1), name="approval_step_needed"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ApprovalDecision",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="decisions",
                            to="billing.approvalrequest",
                        ),
                    ),
                    (
                        "step",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="decisions",
                            to="billing.approvalstep",
                        ),
                    ),
                    ("agrees", models.BooleanField()),
                    ("decided_by", _to(settings.AUTH_USER_MODEL)),
                    ("decided_label", models.CharField(max_length=120)),
                    ("for_user", _to(settings.AUTH_USER_MODEL, null=True)),
                    ("for_label", models.CharField(blank=True, max_length=120)),
                    (
                        "rung",
                        models.CharField(help_text="Why it was theirs to decide.", max_length=12),
                    ),
                    ("because", models.CharField(blank=True, max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("step", "decided_by"), name="approval_decided_once"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(for_user__isnull=False),
                            fields=("step", "for_user"),
                            name="approval_lent_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ("agrees", True),
                                models.Q(because="", _negated=True),
                                _connector="OR",
                            ),
                            name="approval_refusal_says_why",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ("for_user", None),
                                models.Q(for_user=models.F("decided_by"), _negated=True),
                                _connector="OR",
                            ),
                            name="approval_for_another",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ApprovalMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="moves",
                            to="billing.approvalrequest",
                        ),
                    ),
                    ("from_state", models.CharField(max_length=12)),
                    ("to_state", models.CharField(max_length=12)),
                    ("because", models.CharField(max_length=300)),
                    ("by", models.CharField(blank=True, max_length=120)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="BankStatement",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("name", models.CharField(max_length=120)),
                    ("content", models.BinaryField()),
                    ("sha256", models.CharField(max_length=64, unique=True)),
                    ("handed_in_at", models.DateTimeField()),
                    (
                        "by_ref",
                        models.CharField(help_text="Opaque id of who did it.", max_length=120),
                    ),
                ],
                options={
                    "ordering": ["-handed_in_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="bank_statement_org_id"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="BankBooking",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "statement",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            related_name="booking",
                            to="billing.bankstatement",
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
                    (
                        "by_ref",
                        models.CharField(help_text="Opaque id of who did it.", max_length=120),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="BankLine",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "statement",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="lines",
                            to="billing.bankstatement",
                        ),
                    ),
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
                ],
                options={
                    "ordering": ["-at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="bank_line_org_id"
                        ),
                        models.UniqueConstraint(fields=("content",), name="bank_line_once"),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="bank_line_deposit"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="BankLineMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "line",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="billing.bankline"
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
                    (
                        "by_ref",
                        models.CharField(help_text="Opaque id of who did it.", max_length=120),
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
                                to_state__in=["open", "matched", "payout", "returned"]
                            ),
                            name="bank_line_move_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="VirtualAccount",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.OneToOneField(
                            on_delete=models.PROTECT, related_name="+", to="tenants.organization"
                        ),
                    ),
                    ("bank", models.CharField(max_length=40)),
                    (
                        "number",
                        models.CharField(help_text="Digits only.", max_length=40, unique=True),
                    ),
                    ("given_at", models.DateTimeField()),
                    (
                        "by_ref",
                        models.CharField(help_text="Opaque id of who did it.", max_length=120),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="Budget",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("scope", models.CharField(max_length=16)),
                    (
                        "subject",
                        models.CharField(help_text="Public id of what it is for.", max_length=24),
                    ),
                    ("period", models.CharField(db_default="month", default="month", max_length=8)),
                    ("year", models.PositiveSmallIntegerField(null=True)),
                    ("starts_on", models.DateField(null=True)),
                    ("ends_on", models.DateField(null=True)),
                    (
                        "covers",
                        ArrayField(
                            base_field=models.CharField(max_length=24),
                            db_default=[],
                            default=list,
                            help_text="Of a line: public ids of its projects; empty: the whole organization.",
                        ),
                    ),
                    ("limit_won", models.BigIntegerField()),
                    ("hard", models.BooleanField(default=True)),
                    (
                        "thresholds",
                        ArrayField(
                            base_field=models.PositiveSmallIntegerField(),
                            db_default=[],
                            default=list,
                            help_text="Percent of the limit at which people are told; empty: the usual ones.",
                        ),
                    ),
                    (
                        "number",
                        models.PositiveBigIntegerField(
                            default=1, help_text="Grows with each change."
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                    ("closed_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["scope", "pk"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="budget_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(
                                ("closed_at", None), models.Q(period="running", _negated=True)
                            ),
                            fields=("subject", "period", "year"),
                            name="budget_once_per_period",
                            nulls_distinct=False,
                        ),
                        ExclusionConstraint(
                            condition=models.Q(closed_at=None, period="running"),
                            expressions=[
                                ("subject", "="),
                                (
                                    models.Func(
                                        "starts_on",
                                        "ends_on",
                                        function="DATERANGE",
                                        output_field=DateRangeField(),
                                    ),
                                    "&&",
                                ),
                            ],
                            name="budget_running_once_a_day",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                scope__in=["organization", "project", "key", "line"]
                            ),
                            name="budget_scope_known",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(limit_won__gte=0, limit_won__lte=9000000000),
                            name="budget_limit_fits",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(ends_on=None, period="month", starts_on=None, year=None),
                                models.Q(ends_on=None, period="year", starts_on=None),
                                models.Q(period="running", starts_on__isnull=False, year=None),
                                _connector="OR",
                            ),
                            name="budget_period_fits",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ends_on=None, ends_on__gt=models.F("starts_on"), _connector="OR"
                            ),
                            name="budget_ends_after_start",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="BudgetChange",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "budget",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="changes", to="billing.budget"
                        ),
                    ),
                    ("from_won", models.BigIntegerField()),
                    ("to_won", models.BigIntegerField()),
                    ("because", models.CharField(blank=True, max_length=200)),
                    ("by", models.CharField(max_length=120)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="BudgetAlert",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "budget",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="alerts", to="billing.budget"
                        ),
                    ),
                    (
                        "month",
                        models.CharField(
                            help_text="Its period: 2026-11, 2026 or running.", max_length=7
                        ),
                    ),
                    ("percent", models.PositiveSmallIntegerField()),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("budget", "month", "percent"), name="budget_alert_once"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="BudgetRaise",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "budget",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="raises", to="billing.budget"
                        ),
                    ),
                    (
                        "from_won",
                        models.BigIntegerField(
                            help_text="The limit before, as it was asked or approved."
                        ),
                    ),
                    ("to_won", models.BigIntegerField()),
                    ("until_at", models.DateTimeField(null=True)),
                    ("because", models.CharField(max_length=300)),
                    ("asked_by", _to(settings.AUTH_USER_MODEL)),
                    ("asked_at", models.DateTimeField()),
                    ("decision", models.CharField(default="open", max_length=12)),
                    ("decided_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-asked_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(decision="open"),
                            fields=("budget", "asked_by"),
                            name="budget_raise_open_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                decision__in=["open", "approved", "refused", "withdrawn", "expired"]
                            ),
                            name="budget_raise_decision",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(decided_at=None, decision="open"),
                                models.Q(
                                    models.Q(decision="open", _negated=True),
                                    ("decided_at__isnull", False),
                                ),
                                _connector="OR",
                            ),
                            name="budget_raise_decided_at",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                to_won__gt=models.F("from_won"), to_won__lte=9000000000
                            ),
                            name="budget_raise_is_more",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Commitment",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("project", models.CharField(max_length=24)),
                    (
                        "reference",
                        models.CharField(help_text="Public id of the order.", max_length=24),
                    ),
                    ("endpoint", models.CharField(max_length=24)),
                    ("month", models.CharField(max_length=7)),
                    ("amount_micro", models.BigIntegerField()),
                    (
                        "final",
                        models.BooleanField(default=False, help_text="Nothing more will be used."),
                    ),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("reference", "month"), name="commitment_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(amount_micro__gte=0), name="commitment_not_negative"
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="InvoiceSeries",
                fields=[
                    ("month", models.CharField(max_length=7, primary_key=True, serialize=False)),
                    ("last", models.PositiveIntegerField(default=0)),
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
                name="KeptDocument",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "subject",
                        models.CharField(help_text="Public id of the document.", max_length=24),
                    ),
                    ("language", models.CharField(max_length=2)),
                    ("pdf", models.BinaryField()),
                    ("sha256", models.CharField(max_length=64)),
                    ("rendered_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("subject", "language"), name="kept_document_once"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="Payment",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("source", models.CharField(max_length=16)),
                    (
                        "reference",
                        models.CharField(
                            help_text="Of the bank line or the processor.", max_length=80
                        ),
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
                ],
                options={
                    "ordering": ["-received_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="payment_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("source", "reference"), name="payment_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="payment_of_something"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(source__in=["bank", "stripe"]), name="payment_source"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="PaymentReversal",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "payment",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="reversals", to="billing.payment"
                        ),
                    ),
                    (
                        "reference",
                        models.CharField(
                            help_text="What it is reversed for; once each.", max_length=80
                        ),
                    ),
                    ("won", models.BigIntegerField()),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                    (
                        "by_ref",
                        models.CharField(help_text="Opaque id of who did it.", max_length=120),
                    ),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("payment", "reference"), name="reversal_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="reversal_of_something"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Refund",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "payment",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="refunds", to="billing.payment"
                        ),
                    ),
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
                ],
                options={
                    "ordering": ["-decided_at", "-id"],
                    "indexes": [models.Index(fields=["reference"], name="refund_reference")],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="refund_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="refund_of_something"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(state__in=["wanted", "sent", "done", "failed"]),
                            name="refund_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="RefundMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "refund",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="billing.refund"
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(blank=True, max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="FundingSource",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("kind", models.CharField(max_length=16)),
                    (
                        "place",
                        models.PositiveSmallIntegerField(help_text="The lowest is drawn first."),
                    ),
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
                    (
                        "covers",
                        models.JSONField(default=list, help_text="Kinds of cost; empty: all."),
                    ),
                    (
                        "own_share",
                        models.PositiveSmallIntegerField(
                            default=0, help_text="Parts of ten thousand."
                        ),
                    ),
                    ("added_at", models.DateTimeField()),
                    ("ended_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["place", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="funding_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(kind__in=["own", "prepaid", "voucher", "subsidy"]),
                            name="funding_kind",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(starts__lte=models.F("last_day")),
                            name="funding_period",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ("cap_won__isnull", True), ("cap_won__gte", 0), _connector="OR"
                            ),
                            name="funding_cap",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(own_share__lte=10000), name="funding_own_share"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="PrepaidTopUp",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("won", models.BigIntegerField()),
                    ("asked_at", models.DateTimeField()),
                    ("withdrawn_at", models.DateTimeField(null=True)),
                    (
                        "source",
                        models.OneToOneField(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="topup",
                            to="billing.fundingsource",
                        ),
                    ),
                ],
                options={
                    "ordering": ["-asked_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="topup_org_id"),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="topup_of_something"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ("withdrawn_at__isnull", True),
                                ("source__isnull", True),
                                _connector="OR",
                            ),
                            name="topup_one_end",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="PrepaidReminder",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "source",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="reminders",
                            to="billing.fundingsource",
                        ),
                    ),
                    ("days", models.PositiveSmallIntegerField()),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("source", "days"), name="prepaid_reminder_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="CardOnFile",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("provider", models.CharField(max_length=16)),
                    (
                        "customer",
                        models.CharField(
                            help_text="The processor's name of the payer.", max_length=80
                        ),
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
                ],
                options={
                    "ordering": ["-asked_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="card_org_id"),
                        models.UniqueConstraint(
                            condition=models.Q(added_at__isnull=False, removed_at__isnull=True),
                            fields=("organization",),
                            name="card_one_in_use",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Dispute",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "payment",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="disputes", to="billing.payment"
                        ),
                    ),
                    ("reference", models.CharField(max_length=80, unique=True)),
                    ("won", models.BigIntegerField()),
                    ("reason", models.CharField(blank=True, max_length=60)),
                    ("state", models.CharField(max_length=32)),
                    ("answer_by", models.DateTimeField(null=True)),
                    ("opened_at", models.DateTimeField()),
                    ("changed_at", models.DateTimeField()),
                ],
                options={"ordering": ["-opened_at", "-id"]},
            ),
            migrations.CreateModel(
                name="ProviderEvent",
                fields=[
                    ("id", _id()),
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
                            condition=models.Q(due_at__isnull=False),
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
                name="BalanceEntry",
                fields=[
                    ("id", _id()),
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
                name="EtaxProfile",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            related_name="etax_profile",
                            to="tenants.organization",
                        ),
                    ),
                    ("representative", models.CharField(blank=True, max_length=100)),
                    ("trade", models.CharField(blank=True, help_text="업태.", max_length=100)),
                    ("item", models.CharField(blank=True, help_text="종목.", max_length=100)),
                    (
                        "place",
                        models.CharField(blank=True, help_text="종사업장번호.", max_length=4),
                    ),
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
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(tax__in=["taxable", "zero_rated", "exempt"]),
                            name="etax_profile_tax",
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="EtaxTrouble",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "source",
                        models.CharField(help_text="inv_… or crn_….", max_length=24, unique=True),
                    ),
                    ("error", models.CharField(max_length=300)),
                    ("tries", models.PositiveIntegerField(default=0)),
                    ("next_at", models.DateTimeField()),
                ],
                options={"ordering": ["next_at", "id"]},
            ),
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
                name="FiscalYear",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("year", models.PositiveSmallIntegerField()),
                    ("state", models.CharField(default="planned", max_length=16)),
                    (
                        "last_commitment",
                        models.PositiveIntegerField(
                            default=0, help_text="Last 원인행위번호 given."
                        ),
                    ),
                    ("last_movement", models.PositiveIntegerField(default=0)),
                    ("created_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["-year"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="fiscal_year_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("organization", "year"), name="fiscal_year_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(state__in=["planned", "open", "closed"]),
                            name="fiscal_year_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(year__gte=2000, year__lte=2999),
                            name="fiscal_year_sensible",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="FiscalYearMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "fiscal_year",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="billing.fiscalyear"
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=300)),
                    ("by", models.CharField(max_length=120)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="BudgetLine",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "fiscal_year",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="lines", to="billing.fiscalyear"
                        ),
                    ),
                    ("code", models.CharField(max_length=20)),
                    ("name", models.CharField(max_length=60)),
                    (
                        "carried",
                        models.CharField(
                            blank=True, help_text="How it came from last year.", max_length=16
                        ),
                    ),
                    (
                        "carried_from",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="carried_into",
                            to="billing.budgetline",
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["code", "carried", "pk"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="budget_line_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("fiscal_year", "code", "carried"), name="budget_line_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(carried__in=["", "named", "accident"]),
                            name="budget_line_carried",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ProjectLine",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("project", _to("tenants.project")),
                    (
                        "fiscal_year",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="bindings",
                            to="billing.fiscalyear",
                        ),
                    ),
                    (
                        "line",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="bindings",
                            to="billing.budgetline",
                        ),
                    ),
                    ("bound_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("project", "fiscal_year"), name="project_line_one_a_year"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="FiscalCommitment",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "fiscal_year",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="commitments",
                            to="billing.fiscalyear",
                        ),
                    ),
                    (
                        "line",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="commitments",
                            to="billing.budgetline",
                        ),
                    ),
                    (
                        "number",
                        models.PositiveIntegerField(
                            help_text="원인행위번호 within the year; no gaps."
                        ),
                    ),
                    ("origin", models.CharField(max_length=16)),
                    ("subject", models.CharField(help_text="What for (적요).", max_length=120)),
                    ("counterparty", models.CharField(max_length=80)),
                    (
                        "document",
                        models.CharField(
                            blank=True, help_text="Number of the paper.", max_length=80
                        ),
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
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="fiscal_commitment_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("fiscal_year", "number"), name="fiscal_commitment_number"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(reference="", _negated=True),
                            fields=("line", "reference", "month"),
                            name="fiscal_commitment_reference",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(origin__in=["document", "order", "usage", "late"]),
                            name="fiscal_commitment_origin",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="FiscalMovement",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "fiscal_year",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="movements",
                            to="billing.fiscalyear",
                        ),
                    ),
                    (
                        "number",
                        models.PositiveIntegerField(
                            help_text="Place in the year's journal; no gaps."
                        ),
                    ),
                    (
                        "line",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="movements",
                            to="billing.budgetline",
                        ),
                    ),
                    ("kind", models.CharField(max_length=16)),
                    ("won", models.BigIntegerField()),
                    ("quarter", models.PositiveSmallIntegerField(default=0)),
                    ("from_quarter", models.PositiveSmallIntegerField(default=0)),
                    (
                        "commitment",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="movements",
                            to="billing.fiscalcommitment",
                        ),
                    ),
                    (
                        "reverses",
                        models.OneToOneField(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="reversed_by",
                            to="billing.fiscalmovement",
                        ),
                    ),
                    ("document", models.CharField(blank=True, max_length=80)),
                    (
                        "project",
                        models.CharField(
                            blank=True, help_text="Whose usage it books.", max_length=24
                        ),
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
                    "indexes": [
                        models.Index(fields=["line", "on_date"], name="fiscal_movement_line"),
                        models.Index(fields=["line", "usage_month"], name="fiscal_movement_usage"),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="fiscal_movement_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("fiscal_year", "number"), name="fiscal_movement_number"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won=0, _negated=True),
                            name="fiscal_movement_moves_something",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(from_quarter__lte=4, quarter__lte=4),
                            name="fiscal_movement_quarters",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="FiscalTransfer",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "fiscal_year",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="transfers",
                            to="billing.fiscalyear",
                        ),
                    ),
                    ("source", _to("billing.budgetline")),
                    ("target", _to("billing.budgetline")),
                    ("won", models.BigIntegerField()),
                    ("because", models.CharField(max_length=300)),
                    ("state", models.CharField(default="open", max_length=16)),
                    ("asked_at", models.DateTimeField()),
                    ("asked_by", models.CharField(max_length=120)),
                    (
                        "asked_ref",
                        models.CharField(help_text="Opaque id of who asked.", max_length=64),
                    ),
                    ("decided_at", models.DateTimeField(null=True)),
                    ("decided_by", models.CharField(blank=True, max_length=120)),
                    ("decided_because", models.CharField(blank=True, max_length=300)),
                ],
                options={
                    "ordering": ["-asked_at", "-pk"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="fiscal_transfer_positive"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(source=models.F("target"), _negated=True),
                            name="fiscal_transfer_two_lines",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(state__in=["open", "approved", "rejected"]),
                            name="fiscal_transfer_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Carryover",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "fiscal_year",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="carryovers",
                            to="billing.fiscalyear",
                        ),
                    ),
                    (
                        "line",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="carryovers",
                            to="billing.budgetline",
                        ),
                    ),
                    ("kind", models.CharField(max_length=16)),
                    (
                        "commitment",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="carryovers",
                            to="billing.fiscalcommitment",
                        ),
                    ),
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
                        models.BigIntegerField(
                            help_text="Null until the year is closed.", null=True
                        ),
                    ),
                    ("into", _to("billing.budgetline", null=True)),
                ],
                options={
                    "ordering": ["kind", "pk"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(kind__in=["named", "accident"]),
                            name="carryover_kind",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(commitment=None, kind="named"),
                                models.Q(commitment__isnull=False, kind="accident"),
                                _connector="OR",
                            ),
                            name="carryover_of_a_commitment",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(kind="named", withdrawn_at=None),
                            fields=("line",),
                            name="carryover_named_once",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(withdrawn_at=None),
                            fields=("commitment",),
                            name="carryover_commitment_once",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Posting",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("day", models.DateField(help_text="Business day in Korea.")),
                    (
                        "kind",
                        models.CharField(
                            help_text="What happened: invoice, payment, …", max_length=24
                        ),
                    ),
                    (
                        "reference",
                        models.CharField(help_text="Public id of the document.", max_length=64),
                    ),
                    ("position", models.PositiveSmallIntegerField()),
                    ("debit", models.CharField(max_length=16)),
                    ("credit", models.CharField(max_length=16)),
                    ("amount_micro", models.DecimalField(decimal_places=6, max_digits=30)),
                    ("posted_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["posted_at", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "kind", "reference", "position"),
                            name="posting_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(amount_micro__gt=0), name="posting_moves_something"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(debit=models.F("credit"), _negated=True),
                            name="posting_two_accounts",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="MonthClose",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("month", models.CharField(max_length=7, unique=True)),
                    ("state", models.CharField(default="rating", max_length=12)),
                    ("state_since", models.DateTimeField()),
                    ("opened_at", models.DateTimeField()),
                    (
                        "review_until",
                        models.DateTimeField(
                            help_text="Customers look at their drafts until then."
                        ),
                    ),
                ],
                options={
                    "ordering": ["-month"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=["rating", "drafting", "review", "finalising", "done"]
                            ),
                            name="month_close_state",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="MonthCloseMove",
                fields=[
                    ("id", _id()),
                    (
                        "close",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="billing.monthclose"
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=12)),
                    ("to_state", models.CharField(max_length=12)),
                    ("because", models.CharField(max_length=300)),
                    ("actor", models.CharField(help_text="usr_…, or system:…", max_length=60)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="TokenTariff",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "model",
                        models.CharField(help_text="Slug of the catalogue model.", max_length=64),
                    ),
                    (
                        "offering_class",
                        models.CharField(
                            blank=True,
                            default="",
                            help_text="Chip of the offerings that cost something else; empty: all.",
                            max_length=24,
                        ),
                    ),
                    ("price_in", models.DecimalField(decimal_places=6, max_digits=18)),
                    ("price_cached", models.DecimalField(decimal_places=6, max_digits=18)),
                    ("price_out", models.DecimalField(decimal_places=6, max_digits=18)),
                    ("starts_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["model", "offering_class", "-starts_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("model", "offering_class", "starts_at"),
                            name="token_tariff_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                price_cached__gte=0, price_in__gte=0, price_out__gte=0
                            ),
                            name="token_tariff_not_negative",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="CardTariff",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("chip", models.CharField(help_text="Code of the chip.", max_length=24)),
                    ("won_per_hour", models.DecimalField(decimal_places=6, max_digits=18)),
                    ("starts_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["chip", "-starts_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("chip", "starts_at"), name="card_tariff_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won_per_hour__gte=0), name="card_tariff_not_negative"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="PriceTerm",
                fields=[
                    ("id", _id()),
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
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="PriceNotice",
                fields=[
                    ("id", _id()),
                    (
                        "version",
                        models.CharField(
                            help_text="Of the price or term.", max_length=24, unique=True
                        ),
                    ),
                    (
                        "what",
                        models.CharField(
                            help_text="tokens, cards, storage or terms.", max_length=16
                        ),
                    ),
                    (
                        "name",
                        models.CharField(
                            help_text="Model, chip, storage, or the term's item.", max_length=80
                        ),
                    ),
                    ("offering_class", models.CharField(blank=True, default="", max_length=24)),
                    ("starts_at", models.DateTimeField()),
                    (
                        "reached",
                        models.BigIntegerField(
                            default=0,
                            help_text="Organizations with a number up to this one have been told.",
                        ),
                    ),
                    ("told_at", models.DateTimeField(null=True)),
                ],
                options={"ordering": ["pk"]},
            ),
            migrations.CreateModel(
                name="StorageTariff",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("storage", models.CharField(help_text="Kind of storage.", max_length=24)),
                    ("won_per_gb_day", models.DecimalField(decimal_places=6, max_digits=18)),
                    ("starts_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["storage", "-starts_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("storage", "starts_at"), name="storage_tariff_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won_per_gb_day__gte=0),
                            name="storage_tariff_not_negative",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Invoice",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("number", models.CharField(max_length=16, unique=True)),
                    ("kind", models.CharField(max_length=16)),
                    ("month", models.CharField(max_length=7)),
                    ("period_start", models.DateTimeField()),
                    ("period_end", models.DateTimeField()),
                    ("issued_at", models.DateTimeField()),
                    ("issue_date", models.DateField()),
                    ("due_date", models.DateField()),
                    ("seller", models.JSONField()),
                    ("buyer", models.JSONField()),
                    ("supply_won", models.BigIntegerField()),
                    ("vat_won", models.BigIntegerField()),
                    (
                        "untaxed_won",
                        models.BigIntegerField(
                            db_default=0,
                            help_text="Late interest: no part of the supply value, without VAT.",
                        ),
                    ),
                    ("total_won", models.BigIntegerField()),
                    (
                        "vat_rule",
                        models.CharField(help_text="A code of billing.vat.", max_length=24),
                    ),
                    (
                        "renews",
                        models.OneToOneField(
                            help_text="What took back the invoice in whose place this one stands.",
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="renewed_by",
                            to="billing.creditnote",
                        ),
                    ),
                ],
                options={
                    "ordering": ["-issued_at", "-number"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="invoice_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(kind="month"),
                            fields=("organization", "month"),
                            name="invoice_one_per_month",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(kind__in=["interim", "month", "corrected"]),
                            name="invoice_kind",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(kind="corrected", renews__isnull=False),
                                models.Q(
                                    models.Q(kind="corrected", _negated=True),
                                    ("renews__isnull", True),
                                ),
                                _connector="OR",
                            ),
                            name="invoice_renews",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                total_won=CombinedExpression(
                                    CombinedExpression(
                                        models.F("supply_won"), "+", models.F("vat_won")
                                    ),
                                    "+",
                                    models.F("untaxed_won"),
                                )
                            ),
                            name="invoice_total",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="InvoiceLine",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "invoice",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="lines", to="billing.invoice"
                        ),
                    ),
                    ("position", models.PositiveIntegerField()),
                    (
                        "item",
                        models.CharField(
                            help_text="What it is; the same item is billed once.", max_length=200
                        ),
                    ),
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
                    "ordering": ["invoice", "position"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("invoice", "position"), name="invoice_line_once"
                        ),
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="invoice_line_org_id"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="InvoiceDocument",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "invoice",
                        models.OneToOneField(
                            on_delete=models.PROTECT, related_name="document", to="billing.invoice"
                        ),
                    ),
                    ("pdf", models.BinaryField()),
                    ("sha256", models.CharField(max_length=64)),
                    ("rendered_at", models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name="CreditNote",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "invoice",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="credit_notes",
                            to="billing.invoice",
                        ),
                    ),
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
                    (
                        "because",
                        models.CharField(help_text="The customer reads it.", max_length=300),
                    ),
                    (
                        "reason",
                        models.CharField(
                            db_default="price",
                            help_text="A word of billing.etax.amendments.Reason.",
                            max_length=20,
                        ),
                    ),
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
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="credit_note_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                total_won=CombinedExpression(
                                    CombinedExpression(
                                        models.F("supply_won"), "+", models.F("vat_won")
                                    ),
                                    "+",
                                    models.F("untaxed_won"),
                                )
                            ),
                            name="credit_note_total",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(total_won__gt=0), name="credit_note_above_zero"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="CreditNoteLine",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "credit_note",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="lines", to="billing.creditnote"
                        ),
                    ),
                    (
                        "invoice_line",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="credits",
                            to="billing.invoiceline",
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
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("credit_note", "position"), name="credit_note_line_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="PaymentAllocation",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "payment",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="allocations",
                            to="billing.payment",
                        ),
                    ),
                    ("invoice", _to("billing.invoice")),
                    (
                        "prepaid",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="allocations",
                            to="billing.fundingsource",
                        ),
                    ),
                    ("won", models.BigIntegerField()),
                    ("because", models.CharField(max_length=24)),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(won=0, _negated=True), name="allocation_of_something"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="FundingDraw",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "invoice",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="draws", to="billing.invoice"
                        ),
                    ),
                    ("position", models.PositiveSmallIntegerField()),
                    (
                        "cost",
                        models.CharField(help_text="Position of the line, or vat.", max_length=24),
                    ),
                    (
                        "source",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="draws",
                            to="billing.fundingsource",
                        ),
                    ),
                    (
                        "share_of",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="shares",
                            to="billing.fundingsource",
                        ),
                    ),
                    ("won", models.BigIntegerField()),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["invoice", "position"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("invoice", "position"), name="funding_draw_once"
                        ),
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="funding_draw_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="funding_draw_something"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="FundingReturn",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "draw",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="returns",
                            to="billing.fundingdraw",
                        ),
                    ),
                    (
                        "credit_note",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="funding_returns",
                            to="billing.creditnote",
                        ),
                    ),
                    ("won", models.BigIntegerField()),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("credit_note", "draw"), name="funding_return_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="funding_return_something"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="PrepaidEntry",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "source",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="entries",
                            to="billing.fundingsource",
                        ),
                    ),
                    (
                        "payment",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="prepaid", to="billing.payment"
                        ),
                    ),
                    ("invoice", _to("billing.invoice", null=True)),
                    ("won", models.BigIntegerField()),
                    ("because", models.CharField(max_length=16)),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(won=0, _negated=True), name="prepaid_of_something"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                because__in=[
                                    "topup",
                                    "drawn",
                                    "returned",
                                    "expired",
                                    "credited",
                                    "reversed",
                                ]
                            ),
                            name="prepaid_because",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(because="expired"),
                            fields=("source", "payment"),
                            name="prepaid_expires_once",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="CardCharge",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("invoice", _to("billing.invoice", null=True)),
                    (
                        "topup",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="charges",
                            to="billing.prepaidtopup",
                        ),
                    ),
                    (
                        "card",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="charges",
                            to="billing.cardonfile",
                        ),
                    ),
                    ("won", models.BigIntegerField()),
                    ("state", models.CharField(default="wanted", max_length=16)),
                    (
                        "reference",
                        models.CharField(blank=True, help_text="Of the processor.", max_length=80),
                    ),
                    (
                        "refusal",
                        models.CharField(
                            blank=True, help_text="The processor's code.", max_length=80
                        ),
                    ),
                    ("made_at", models.DateTimeField()),
                    ("tries", models.PositiveSmallIntegerField(default=0)),
                    (
                        "due_at",
                        models.DateTimeField(
                            help_text="When the processor is asked about it (again)."
                        ),
                    ),
                ],
                options={
                    "ordering": ["-made_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="charge_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(reference="", _negated=True),
                            fields=("reference",),
                            name="charge_once",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(state__in=("wanted", "processing", "action")),
                            fields=("invoice",),
                            name="charge_one_at_a_time",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(state__in=("wanted", "processing", "action")),
                            fields=("topup",),
                            name="charge_of_topup_one_at_a_time",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                invoice__isnull=True, topup__isnull=True, _connector="XOR"
                            ),
                            name="charge_for_one_thing",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(won__gt=0), name="charge_of_something"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=[
                                    "wanted",
                                    "processing",
                                    "action",
                                    "paid",
                                    "failed",
                                    "canceled",
                                ]
                            ),
                            name="charge_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="CardChargeMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "charge",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="billing.cardcharge"
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(blank=True, max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="Reminder",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "invoice",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="reminders", to="billing.invoice"
                        ),
                    ),
                    (
                        "step",
                        models.CharField(
                            help_text="before-3, after-1, …, restrict-30", max_length=16
                        ),
                    ),
                    (
                        "open_won",
                        models.BigIntegerField(help_text="What was still to be paid then."),
                    ),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.UniqueConstraint(fields=("invoice", "step"), name="reminder_once")
                    ],
                },
            ),
            migrations.CreateModel(
                name="EtaxDocument",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("key", models.CharField(max_length=24, unique=True)),
                    (
                        "invoice",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="etax", to="billing.invoice"
                        ),
                    ),
                    ("source", models.CharField(max_length=24)),
                    ("sheet", models.CharField(default="invoice", max_length=12)),
                    ("serial", models.PositiveSmallIntegerField(default=1)),
                    (
                        "original",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="amendments",
                            to="billing.etaxdocument",
                        ),
                    ),
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
                            blank=True,
                            default="",
                            help_text="The tax service's number.",
                            max_length=24,
                        ),
                    ),
                    ("issued_at", models.DateTimeField(null=True)),
                    ("send_by", models.DateField(null=True)),
                    ("refusal_code", models.CharField(blank=True, default="", max_length=16)),
                    ("refusal", models.CharField(blank=True, default="", max_length=300)),
                    (
                        "tries",
                        models.PositiveIntegerField(
                            default=0, help_text="Calls begun under this key."
                        ),
                    ),
                    (
                        "failures",
                        models.PositiveSmallIntegerField(default=0, help_text="In a row."),
                    ),
                    (
                        "next_at",
                        models.DateTimeField(
                            help_text="When to look again; a sweep that looks puts it off as its lease.",
                            null=True,
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["-created_at", "-id"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(next_at__isnull=False),
                            fields=["next_at"],
                            name="etax_next",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="etax_org_id"),
                        models.UniqueConstraint(
                            fields=("source", "sheet", "serial"), name="etax_once_per_source"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(state="rejected", _negated=True),
                            fields=("source", "sheet"),
                            name="etax_one_that_counts",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(approval="", _negated=True),
                            fields=("approval",),
                            name="etax_approval_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=[
                                    "blocked",
                                    "prepared",
                                    "issued",
                                    "sent",
                                    "accepted",
                                    "rejected",
                                    "amended",
                                    "elsewhere",
                                    "waived",
                                ]
                            ),
                            name="etax_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                total_won=CombinedExpression(
                                    models.F("supply_won"), "+", models.F("vat_won")
                                )
                            ),
                            name="etax_total",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="EtaxMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "document",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="moves",
                            to="billing.etaxdocument",
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=12)),
                    ("to_state", models.CharField(max_length=12)),
                    ("because", models.CharField(max_length=300)),
                    ("by", models.CharField(help_text="usr_…, key_… or system:…", max_length=60)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="EtaxAttempt",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "document",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="attempts",
                            to="billing.etaxdocument",
                        ),
                    ),
                    ("deed", models.CharField(max_length=12)),
                    ("outcome", models.CharField(max_length=12)),
                    ("code", models.CharField(blank=True, max_length=16)),
                    ("sentence", models.CharField(blank=True, max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="InvoiceDraft",
                fields=[
                    ("id", _id()),
                    (
                        "public_id",
                        models.CharField(
                            db_default=Concat(
                                models.Value("drf_"),
                                Substr(
                                    Replace(
                                        Cast(RandomUUID(), models.CharField()),
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
                    ("organization", _to("tenants.organization")),
                    (
                        "close",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="drafts", to="billing.monthclose"
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
                        models.DateTimeField(
                            help_text="That there is a draft to look at.", null=True
                        ),
                    ),
                    (
                        "invoice",
                        models.OneToOneField(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="draft",
                            to="billing.invoice",
                        ),
                    ),
                    (
                        "issue_told_at",
                        models.DateTimeField(help_text="That the invoice is issued.", null=True),
                    ),
                ],
                options={
                    "ordering": ["-close__month", "organization"],
                    "indexes": [
                        models.Index(
                            fields=["close", "state", "organization"], name="draft_close_state"
                        ),
                        models.Index(
                            condition=models.Q(issue_told_at=None, state="issued"),
                            fields=["organization"],
                            name="draft_untold",
                        ),
                    ],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="draft_org_id"),
                        models.UniqueConstraint(
                            fields=("organization", "close"), name="draft_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=["stale", "drafted", "nothing", "failed", "issued"]
                            ),
                            name="draft_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(invoice__isnull=False, state="issued"),
                                models.Q(
                                    models.Q(state="issued", _negated=True),
                                    ("invoice__isnull", True),
                                ),
                                _connector="OR",
                            ),
                            name="draft_issued_has_invoice",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                total_won=CombinedExpression(
                                    CombinedExpression(
                                        models.F("supply_won"), "+", models.F("vat_won")
                                    ),
                                    "+",
                                    models.F("untaxed_won"),
                                )
                            ),
                            name="draft_total",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="InvoiceDraftLine",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "draft",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="lines",
                            to="billing.invoicedraft",
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
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("draft", "position"), name="draft_line_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="DraftComment",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "draft",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="comments",
                            to="billing.invoicedraft",
                        ),
                    ),
                    ("kind", models.CharField(max_length=12)),
                    (
                        "answers",
                        models.OneToOneField(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="answer",
                            to="billing.draftcomment",
                        ),
                    ),
                    ("text", models.CharField(max_length=2000)),
                    ("by", models.CharField(max_length=120)),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["at", "id"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="draft_comment_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(kind__in=["comment", "objection", "answer"]),
                            name="draft_comment_kind",
                        ),
                    ],
                },
            ),
        )
    ]
