"""What was paid: bank statements and their lines, payments, where they went, what went back.

A bank statement is the operator's paper: it and its lines belong to the operator's organization,
also those that nobody can place. A payment belongs to the customer who paid it. The two are tied
by the line's public id, so that no row points into another tenant.

Facts are append-only. What changes over time is told by rows of its own: moves of lines, charges,
refunds and disputes; allocations that may be negative; reversals.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice
from tenants.models import TenantQuerySet


class Source(models.TextChoices):
    """By which way money came."""

    BANK = "bank", _("Bank transfer")
    STRIPE = "stripe", _("Card")


# ─── the bank ──────────────────────────────────────────────────────────────────────────────────


class BankStatement(models.Model):
    """A file of the bank as it was handed in. Kept whole; the same file comes in once."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64, unique=True)
    handed_in_at = models.DateTimeField()
    by = models.CharField(max_length=120, help_text="Opaque id of who handed it in.")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-handed_in_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="bank_statement_org_id")
        ]

    def __str__(self) -> str:
        return self.name


class BankBooking(models.Model):
    """That the lines of a statement were booked: once, by whom, and how many there were."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    statement = models.OneToOneField(BankStatement, models.PROTECT, related_name="booking")
    lines = models.PositiveIntegerField()
    matched = models.PositiveIntegerField()
    repeated = models.PositiveIntegerField(help_text="Lines that were known already.")
    total_won = models.BigIntegerField()
    at = models.DateTimeField()
    by = models.CharField(max_length=120)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.statement_id} {self.lines}"


class LineState(models.TextChoices):
    """What became of a deposit. Only ``OPEN`` waits for somebody."""

    OPEN = "open"  # nobody knows yet for what it is
    MATCHED = "matched"
    PAYOUT = "payout"  # of the card processor: those payments are booked already
    RETURNED = "returned"  # not ours: sent back by the bank


class BankLineQuerySet(TenantQuerySet["BankLine"]):
    def with_state(self) -> Self:
        """Annotated with ``state``: where the last move has brought it."""
        last = BankLineMove.objects.filter(line=OuterRef("pk")).order_by("-position")
        return self.annotate(state=Subquery(last.values("to_state")[:1]))

    def open(self) -> Self:
        """What waits for somebody, the oldest first."""
        return self.with_state().filter(state=LineState.OPEN).order_by("at", "pk")


class BankLine(models.Model):
    """One deposit, as the bank tells it. Each is in the books once, whatever file it came with."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    statement = models.ForeignKey(BankStatement, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField(help_text="Line of the file.")
    content = models.CharField(max_length=64, help_text="Digest of what the line says.")
    at = models.DateTimeField(help_text="When the bank booked it.")
    won = models.BigIntegerField()
    payer = models.CharField(max_length=100, blank=True)
    memo = models.CharField(max_length=200, blank=True)
    account = models.CharField(max_length=40, blank=True, help_text="Virtual account, if any.")

    objects = BankLineQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="bank_line_org_id"),
            models.UniqueConstraint(fields=["content"], name="bank_line_once"),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="bank_line_deposit"),
        ]

    def __str__(self) -> str:
        return self.public_id


class BankLineMove(models.Model):
    """One step of a line. Its position is unique, so that of two who move it one loses."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    line = models.ForeignKey(BankLine, models.PROTECT, related_name="moves")
    position = models.PositiveSmallIntegerField()
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    payment = models.CharField(max_length=24, blank=True, help_text="Public id of the payment.")
    because = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=120)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["line", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["line", "position"], name="bank_line_move_once"),
            models.CheckConstraint(
                condition=models.Q(to_state__in=LineState.values), name="bank_line_move_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class VirtualAccount(models.Model):
    """An account number that only one organization pays into."""

    organization = models.OneToOneField("tenants.Organization", models.PROTECT, related_name="+")
    bank = models.CharField(max_length=40)
    number = models.CharField(max_length=40, unique=True, help_text="Digits only.")
    given_at = models.DateTimeField()
    by = models.CharField(max_length=120)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.number


# ─── payments and where they went ──────────────────────────────────────────────────────────────


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
    """A part of a payment for an invoice; negative where it was taken back."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="+")
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
    by = models.CharField(max_length=120)

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


# ─── cards ─────────────────────────────────────────────────────────────────────────────────────


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
    """One attempt to have an invoice paid by card. Its public id is the idempotency key."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="+")
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
            models.CheckConstraint(condition=models.Q(won__gt=0), name="charge_of_something"),
            models.CheckConstraint(
                condition=models.Q(state__in=ChargeState.values), name="charge_state"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


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


def later(now: datetime, tries: int) -> datetime:
    """When to ask again after so many tries: a minute, then twice as long, six hours at most."""
    return now + timedelta(minutes=min(2**tries, 360))
