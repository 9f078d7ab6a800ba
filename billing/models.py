"""Prices that are superseded and never edited, budgets, and documents that never change."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models

from portal.lib.money import MAX_BUDGET_WON
from tenants.models import ApiKey, OfProject, TenantQuerySet

if TYPE_CHECKING:
    from tenants.actors import Actor


class TokenTariff(models.Model):
    """What tokens of one model cost from a moment on, in won per million tokens, without VAT."""

    public_id = models.CharField(max_length=24, unique=True)
    model = models.CharField(max_length=64, help_text="Slug of the catalogue model.")
    price_in = models.DecimalField(max_digits=18, decimal_places=6)
    price_cached = models.DecimalField(max_digits=18, decimal_places=6)
    price_out = models.DecimalField(max_digits=18, decimal_places=6)
    starts_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["model", "-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "starts_at"], name="token_tariff_once"),
            models.CheckConstraint(
                condition=models.Q(price_in__gte=0, price_cached__gte=0, price_out__gte=0),
                name="token_tariff_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    def price_of(self, kind: str) -> Decimal:
        """Won per million tokens of one kind of item (``billing.rating.Item.kind``)."""
        prices = {
            "token_in": self.price_in,
            "token_cached": self.price_cached,
            "token_out": self.price_out,
        }
        return prices[kind]


class CardTariff(models.Model):
    """What one card of a chip costs per hour from a moment on, in won, without VAT."""

    public_id = models.CharField(max_length=24, unique=True)
    chip = models.CharField(max_length=24, help_text="Code of the chip.")
    won_per_hour = models.DecimalField(max_digits=18, decimal_places=6)
    starts_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["chip", "-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chip", "starts_at"], name="card_tariff_once"),
            models.CheckConstraint(
                condition=models.Q(won_per_hour__gte=0), name="card_tariff_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class BudgetScope(models.TextChoices):
    ORGANIZATION = "organization"
    PROJECT = "project"
    KEY = "key"


class BudgetQuerySet(TenantQuerySet["Budget"]):
    def visible_to(self, actor: Actor) -> Self:
        """The organization's budgets; those of their projects and keys for limited members."""
        rows = super().visible_to(actor)
        if actor.projects is None:
            return rows
        keys = ApiKey.objects.visible_to(actor).values("public_id")
        return rows.filter(
            models.Q(scope=BudgetScope.PROJECT, subject__in=actor.projects)
            | models.Q(scope=BudgetScope.KEY, subject__in=keys)
        )


class Budget(models.Model):
    """How much may be spent in a month in Korea. Hard: requests stop there."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    scope = models.CharField(max_length=16)
    subject = models.CharField(max_length=24, help_text="Public id of what it is for.")
    limit_won = models.BigIntegerField()
    hard = models.BooleanField(default=True)
    number = models.PositiveBigIntegerField(default=1, help_text="Grows with each change.")
    created_at = models.DateTimeField()

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["scope", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="budget_org_id"),
            models.UniqueConstraint(fields=["subject"], name="budget_once_per_subject"),
            models.CheckConstraint(
                condition=models.Q(scope__in=BudgetScope.values), name="budget_scope"
            ),
            models.CheckConstraint(
                condition=models.Q(limit_won__gte=0, limit_won__lte=MAX_BUDGET_WON),
                name="budget_limit_fits",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class BudgetChange(models.Model):
    """Who changed a limit, when and why."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="changes")
    from_won = models.BigIntegerField()
    to_won = models.BigIntegerField()
    because = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=120)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.from_won} → {self.to_won}"


class BudgetAlert(models.Model):
    """That people were told how far a budget is used; the row that makes it once a month."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="alerts")
    month = models.CharField(max_length=7)
    percent = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["budget", "month", "percent"], name="budget_alert_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.percent}"


class Commitment(models.Model):
    """What an order has set aside in one month. Lowered to what was used once it has ended."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.CharField(max_length=24)
    reference = models.CharField(max_length=24, help_text="Public id of the order.")
    endpoint = models.CharField(max_length=24)
    month = models.CharField(max_length=7)
    amount_micro = models.BigIntegerField()
    final = models.BooleanField(default=False, help_text="Nothing more will be used.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfProject.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reference", "month"], name="commitment_once"),
            models.CheckConstraint(
                condition=models.Q(amount_micro__gte=0), name="commitment_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.month}"


class InvoiceSeries(models.Model):
    """The last number given in a month. Locked while a number is taken, so there are no gaps."""

    month = models.CharField(max_length=7, primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.month} {self.last}"


class InvoiceKind(models.TextChoices):
    INTERIM = "interim"
    MONTH = "month"


class Invoice(models.Model):
    """An issued invoice. It copies every text and number that it shows and never changes."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    number = models.CharField(max_length=16, unique=True)
    kind = models.CharField(max_length=16)
    month = models.CharField(max_length=7)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    issued_at = models.DateTimeField()
    issue_date = models.DateField()
    due_date = models.DateField()
    seller = models.JSONField()
    buyer = models.JSONField()
    supply_won = models.BigIntegerField()
    vat_won = models.BigIntegerField()
    total_won = models.BigIntegerField()
    vat_rule = models.CharField(max_length=24)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-issued_at", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="invoice_org_id"),
            models.UniqueConstraint(
                fields=["organization", "month"],
                condition=models.Q(kind="month"),
                name="invoice_one_per_month",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=InvoiceKind.values), name="invoice_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(total_won=models.F("supply_won") + models.F("vat_won")),
                name="invoice_total",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class InvoiceLine(models.Model):
    """One item of one month: a quantity at a price, rounded once."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    item = models.CharField(max_length=200, help_text="What it is; the same item is billed once.")
    usage_month = models.CharField(max_length=7)
    text_ko = models.CharField(max_length=200)
    text_en = models.CharField(max_length=200)
    unit = models.CharField(max_length=16)  # tokens, card_seconds, correction
    quantity = models.BigIntegerField()
    unit_price = models.DecimalField(max_digits=18, decimal_places=6)
    price_version = models.CharField(max_length=24)
    exact_micro = models.DecimalField(max_digits=30, decimal_places=6)
    amount_won = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["invoice", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_once")
        ]

    def __str__(self) -> str:
        return self.item


class InvoiceDocument(models.Model):
    """The rendered PDF, kept as it was sent."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.OneToOneField(Invoice, models.PROTECT, related_name="document")
    pdf = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    rendered_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.sha256
