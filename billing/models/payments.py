"""What was paid: payments, where they went, what went back.

Facts are append-only. What changes over time is told by rows of its own: allocations that may be
negative, reversals, moves of refunds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice
from tenants.models import TenantQuerySet


class Source(models.TextChoices):
    """By which way money came."""

    BANK = "bank", _("Bank transfer")
    STRIPE = "stripe", _("Card")


class Payment(models.Model):
    """Money that came from a customer: one row for each, whatever is told of it how often."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    source = models.CharField(max_length=16)
    reference = models.CharField(max_length=80, help_text="Of the bank line or the processor.")
    won = models.BigIntegerField()
    received_at = models.DateTimeField()
    payer = models.CharField(max_length=100, blank=True)
    method = models.CharField(max_length=60, blank=True, help_text="Such as Visa •••• 4242.")
    booked_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-received_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="payment_org_id"),
            models.UniqueConstraint(fields=["source", "reference"], name="payment_once"),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="payment_of_something"),
            models.CheckConstraint(
                condition=models.Q(source__in=Source.values), name="payment_source"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def source_label(self) -> str:
        return str(Source(self.source).label)


class PaymentAllocation(models.Model):
    """A part of a payment for an invoice; negative where it was taken back. ``prepaid`` names the
    source that it was drawn from, if it was paid in advance."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="+")
    prepaid = models.ForeignKey(
        "billing.FundingSource", models.PROTECT, null=True, related_name="allocations"
    )
    won = models.BigIntegerField()
    because = models.CharField(max_length=24)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(won=0), name="allocation_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} → {self.invoice_id} {self.won}"


class PaymentReversal(models.Model):
    """That money which was booked is not there: matched wrongly, or taken back by a bank."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="reversals")
    reference = models.CharField(max_length=80, help_text="What it is reversed for; once each.")
    won = models.BigIntegerField()
    because = models.CharField(max_length=300)
    at = models.DateTimeField()
    by_ref = models.CharField(max_length=120, help_text="Opaque id of who did it.")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["payment", "reference"], name="reversal_once"),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="reversal_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} −{self.won}"


class RefundState(models.TextChoices):
    WANTED = "wanted", _("Decided, not yet paid out")
    SENT = "sent", _("On its way")
    DONE = "done", _("Paid out")
    FAILED = "failed", _("Failed: it is credit again")


class Refund(models.Model):
    """Credit that goes back to where it came from. Decided by two people."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    won = models.BigIntegerField()
    because = models.CharField(max_length=300)
    state = models.CharField(max_length=16, default=RefundState.WANTED)
    reference = models.CharField(max_length=80, blank=True, help_text="Of the bank or processor.")
    decided_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-decided_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="refund_org_id"),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="refund_of_something"),
            models.CheckConstraint(
                condition=models.Q(state__in=RefundState.values), name="refund_state"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["reference"], name="refund_reference")]

    def __str__(self) -> str:
        return self.public_id


class RefundMove(models.Model):
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    refund = models.ForeignKey(Refund, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


def later(now: datetime, tries: int) -> datetime:
    """When to ask again after so many tries: a minute, then twice as long, six hours at most."""
    return now + timedelta(minutes=min(2**tries, 360))
