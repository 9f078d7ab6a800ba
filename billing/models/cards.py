"""Cards: the one on file, charges, disputes, and what the processor tells."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.funding import PrepaidTopUp
from billing.models.invoices import Invoice
from billing.models.payments import Payment
from tenants.models import TenantQuerySet


class CardOnFile(models.Model):
    """A card that the processor keeps for an organization. We know its last four digits."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16)
    customer = models.CharField(max_length=80, help_text="The processor's name of the payer.")
    setup = models.CharField(max_length=200, unique=True, help_text="The processor's session.")
    method = models.CharField(max_length=80, blank=True)
    brand = models.CharField(max_length=24, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    expires = models.CharField(max_length=7, blank=True)
    asked_at = models.DateTimeField()
    added_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="card_org_id"),
            models.UniqueConstraint(
                fields=["organization"],
                condition=models.Q(added_at__isnull=False, removed_at__isnull=True),
                name="card_one_in_use",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} •••• {self.last4}"


class ChargeState(models.TextChoices):
    WANTED = "wanted", _("Being sent")
    PROCESSING = "processing", _("Being processed")
    ACTION = "action", _("Waits for your confirmation at the card company")
    PAID = "paid", _("Paid")
    FAILED = "failed", _("Refused by the card company")
    CANCELED = "canceled", _("Canceled")


LIVE_CHARGE = (ChargeState.WANTED, ChargeState.PROCESSING, ChargeState.ACTION)


class CardCharge(models.Model):
    """One attempt to have an invoice, or a top-up, paid by card. Its public id is the idempotency
    key."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="+")
    topup = models.ForeignKey(PrepaidTopUp, models.PROTECT, null=True, related_name="charges")
    card = models.ForeignKey(CardOnFile, models.PROTECT, related_name="charges")
    won = models.BigIntegerField()
    state = models.CharField(max_length=16, default=ChargeState.WANTED)
    reference = models.CharField(max_length=80, blank=True, help_text="Of the processor.")
    refusal = models.CharField(max_length=80, blank=True, help_text="The processor's code.")
    made_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(help_text="When the processor is asked about it (again).")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-made_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="charge_org_id"),
            models.UniqueConstraint(
                fields=["reference"], condition=~models.Q(reference=""), name="charge_once"
            ),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=models.Q(state__in=LIVE_CHARGE),
                name="charge_one_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["topup"],
                condition=models.Q(state__in=LIVE_CHARGE),
                name="charge_of_topup_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(invoice__isnull=True) ^ models.Q(topup__isnull=True),
                name="charge_for_one_thing",
            ),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="charge_of_something"),
            models.CheckConstraint(
                condition=models.Q(state__in=ChargeState.values), name="charge_state"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def for_id(self) -> str:
        """Public id of what it pays."""
        return self.invoice.public_id if self.invoice else self.topup.public_id  # type: ignore[union-attr]

    @property
    def for_number(self) -> str:
        """What people call it: the invoice's number, or the top-up's id."""
        return self.invoice.number if self.invoice else self.for_id


class CardChargeMove(models.Model):
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    charge = models.ForeignKey(CardCharge, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class Dispute(models.Model):
    """A payer's bank wants the money back. The processor's state, as it was last asked."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    reference = models.CharField(max_length=80, unique=True)
    won = models.BigIntegerField()
    reason = models.CharField(max_length=60, blank=True)
    state = models.CharField(max_length=32)
    answer_by = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-opened_at", "-id"]

    def __str__(self) -> str:
        return self.reference


# ─── what the processor tells ──────────────────────────────────────────────────────────────────


class ProviderEvent(models.Model):
    """A signed message of a processor: kept once, then worked on. It says what to ask about and
    nothing that is believed. It belongs to no tenant and holds no content."""

    provider = models.CharField(max_length=16)
    event = models.CharField(max_length=80)
    kind = models.CharField(max_length=80)
    about = models.CharField(max_length=80, help_text="The object that it is about.")
    told_at = models.DateTimeField()
    received_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, help_text="None: it is done with.")
    outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-received_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "event"], name="provider_event_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(due_at__isnull=False),
                name="provider_event_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about}"


class BalanceEntry(models.Model):
    """One movement on the processor's balance, for comparison with what we booked."""

    provider = models.CharField(max_length=16)
    reference = models.CharField(max_length=80)
    kind = models.CharField(max_length=40)
    won = models.BigIntegerField()
    fee_won = models.BigIntegerField()
    about = models.CharField(max_length=80, blank=True, help_text="Payment, refund or dispute.")
    at = models.DateTimeField()
    read_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "reference"], name="balance_entry_once")
        ]

    def __str__(self) -> str:
        return self.reference
