"""Invoices: documents that never change once they are issued."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.models import TenantQuerySet


class InvoiceSeries(models.Model):
    """The last number given in a month. Locked while a number is taken, so there are no gaps."""

    month = models.CharField(max_length=7, primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.month} {self.last}"


class InvoiceKind(models.TextChoices):
    INTERIM = "interim"
    MONTH = "month"
    CORRECTED = "corrected"  # in the place of one that was wrong


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
    untaxed_won = models.BigIntegerField(
        db_default=0, help_text="Late interest: no part of the supply value, without VAT."
    )
    total_won = models.BigIntegerField()
    vat_rule = models.CharField(max_length=24, help_text="A code of billing.vat.")
    renews = models.OneToOneField(
        "billing.CreditNote",
        models.PROTECT,
        null=True,
        related_name="renewed_by",
        help_text="What took back the invoice in whose place this one stands.",
    )

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
                condition=models.Q(kind=InvoiceKind.CORRECTED, renews__isnull=False)
                | models.Q(~models.Q(kind=InvoiceKind.CORRECTED), renews__isnull=True),
                name="invoice_renews",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    total_won=models.F("supply_won") + models.F("vat_won") + models.F("untaxed_won")
                ),
                name="invoice_total",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class InvoiceLine(models.Model):
    """One item of one month: a quantity at a price, rounded once."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    item = models.CharField(max_length=200, help_text="What it is; the same item is billed once.")
    usage_month = models.CharField(max_length=7)
    text_ko = models.CharField(max_length=200)
    text_en = models.CharField(max_length=200)
    unit = models.CharField(max_length=16)  # tokens, card_seconds, correction, interest, cut
    quantity = models.BigIntegerField()
    unit_price = models.DecimalField(max_digits=18, decimal_places=6)
    price_version = models.CharField(max_length=24)
    exact_micro = models.DecimalField(max_digits=30, decimal_places=6)
    amount_won = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["invoice", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_once"),
            models.UniqueConstraint(fields=["organization", "id"], name="invoice_line_org_id"),
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
