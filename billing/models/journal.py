"""The journal: every amount leaves one account for another. Append-only, exact."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.models import TenantQuerySet


class Account(models.TextChoices):
    """Accounts of one organization, as the operator keeps them."""

    RECEIVABLE = "receivable"  # on issued invoices, not yet paid; VAT included
    ACCRUED = "accrued"  # used, not yet on an invoice
    REVENUE = "revenue"
    VAT = "vat"  # owed to the tax office
    ROUNDING = "rounding"  # between exact lines and whole won
    LOSS = "loss"  # written off: never charged to the organization
    BANK = "bank"  # received by bank transfer
    CARDS = "cards"  # received by the card processor, before it pays out
    UNMATCHED = "unmatched"  # received, and not known for what
    PREPAID = "prepaid"  # credit that was paid for and not yet used
    CREDIT = "credit"  # owed back: overpaid, or credited after payment
    EXPIRED = "expired"  # prepaid credit that ran out
    INTEREST = "interest"  # for paying late
    FEES = "fees"  # of the card processor: the operator's expense


class Posting(models.Model):
    """One amount from one account to another: both sides in one row, so that it always balances."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    day = models.DateField(help_text="Business day in Korea.")
    kind = models.CharField(max_length=24, help_text="What happened: invoice, payment, …")
    reference = models.CharField(max_length=64, help_text="Public id of the document.")
    position = models.PositiveSmallIntegerField()
    debit = models.CharField(max_length=16)
    credit = models.CharField(max_length=16)
    amount_micro = models.DecimalField(max_digits=30, decimal_places=6)
    posted_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["posted_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "kind", "reference", "position"], name="posting_once"
            ),
            models.CheckConstraint(
                condition=models.Q(amount_micro__gt=0), name="posting_moves_something"
            ),
            models.CheckConstraint(
                condition=~models.Q(debit=models.F("credit")), name="posting_two_accounts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference} {self.debit} ← {self.credit}"
