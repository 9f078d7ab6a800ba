"""Where the money for invoices comes from: own budgets, vouchers, subsidies, and what each paid."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.credit_notes import CreditNote
from billing.models.invoices import Invoice
from billing.models.payments import Payment
from tenants.models import TenantQuerySet


class FundingKind(models.TextChoices):
    OWN = "own", _("Own money")
    PREPAID = "prepaid", _("Prepaid credit")
    VOUCHER = "voucher", _("Voucher")
    SUBSIDY = "subsidy", _("Subsidy")


class FundingSource(models.Model):
    """A pot that invoices are drawn from, in the stated order. But for its place its terms never
    change: it is ended, and another one is added."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16)
    place = models.PositiveSmallIntegerField(help_text="The lowest is drawn first.")
    name = models.CharField(max_length=80)
    programme = models.CharField(max_length=120, blank=True)
    provider_number = models.CharField(max_length=40, blank=True)
    cap_won = models.BigIntegerField(null=True, help_text="None: no end.")
    starts = models.DateField()
    last_day = models.DateField()
    usable_until = models.DateField(help_text="The last day on which it may be drawn.")
    covers = models.JSONField(default=list, help_text="Kinds of cost; empty: all.")
    own_share = models.PositiveSmallIntegerField(default=0, help_text="Parts of ten thousand.")
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["place", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="funding_org_id"),
            models.CheckConstraint(
                condition=models.Q(kind__in=FundingKind.values), name="funding_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(starts__lte=models.F("last_day")), name="funding_period"
            ),
            models.CheckConstraint(
                condition=models.Q(cap_won__isnull=True) | models.Q(cap_won__gte=0),
                name="funding_cap",
            ),
            models.CheckConstraint(
                condition=models.Q(own_share__lte=10_000), name="funding_own_share"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind_label(self) -> str:
        return str(FundingKind(self.kind).label)

    @property
    def title(self) -> str:
        """Its name; prepaid credit is named by the day on which it was paid for."""
        return f"{self.kind_label} {self.name}" if self.kind == FundingKind.PREPAID else self.name


class FundingDraw(models.Model):
    """A part of an invoice's line that a source pays; without a source: own money not named."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="draws")
    position = models.PositiveSmallIntegerField()
    cost = models.CharField(max_length=24, help_text="Position of the line, or vat.")
    source = models.ForeignKey(FundingSource, models.PROTECT, null=True, related_name="draws")
    share_of = models.ForeignKey(FundingSource, models.PROTECT, null=True, related_name="shares")
    won = models.BigIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["invoice", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="funding_draw_once"),
            models.UniqueConstraint(fields=["organization", "id"], name="funding_draw_org_id"),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="funding_draw_something"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.cost} {self.won}"


class FundingReturn(models.Model):
    """What a credit note has given back of a draw."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    draw = models.ForeignKey(FundingDraw, models.PROTECT, related_name="returns")
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, related_name="funding_returns")
    won = models.BigIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["credit_note", "draw"], name="funding_return_once"),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="funding_return_something"),
        ]

    def __str__(self) -> str:
        return f"{self.draw_id} −{self.won}"


class PrepaidTopUp(models.Model):
    """A wish to pay in advance. Once so much credit is there, it becomes a source."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    won = models.BigIntegerField()
    asked_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    source = models.OneToOneField(FundingSource, models.PROTECT, null=True, related_name="topup")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="topup_org_id"),
            models.CheckConstraint(condition=models.Q(won__gt=0), name="topup_of_something"),
            models.CheckConstraint(
                condition=models.Q(withdrawn_at__isnull=True) | models.Q(source__isnull=True),
                name="topup_one_end",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class PrepaidBecause(models.TextChoices):
    TOPUP = "topup", _("Paid in advance")
    DRAWN = "drawn", _("Used for an invoice")
    RETURNED = "returned", _("Given back by a credit note")
    EXPIRED = "expired", _("Expired")
    CREDITED = "credited", _("Ended: it is credit again")
    REVERSED = "reversed", _("The payment was taken back")


class PrepaidEntry(models.Model):
    """What a payment brought into a prepaid source, and what left it again. The sum is left."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    source = models.ForeignKey(FundingSource, models.PROTECT, related_name="entries")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="prepaid")
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="+")
    won = models.BigIntegerField()
    because = models.CharField(max_length=16)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(won=0), name="prepaid_of_something"),
            models.CheckConstraint(
                condition=models.Q(because__in=PrepaidBecause.values), name="prepaid_because"
            ),
            models.UniqueConstraint(
                fields=["source", "payment"],
                condition=models.Q(because="expired"),
                name="prepaid_expires_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.won}"

    @property
    def because_label(self) -> str:
        return str(PrepaidBecause(self.because).label)


class PrepaidReminder(models.Model):
    """That people were told so many days before prepaid credit ends."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    source = models.ForeignKey(FundingSource, models.PROTECT, related_name="reminders")
    days = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "days"], name="prepaid_reminder_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.days}"
