"""Where the money for invoices comes from: own budgets, vouchers, subsidies, and what each paid."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice
from tenants.models import TenantQuerySet


class FundingKind(models.TextChoices):
    OWN = "own", _("Own money")
    PREPAID = "prepaid", _("Prepaid credit")
    VOUCHER = "voucher", _("Voucher")
    SUBSIDY = "subsidy", _("Subsidy")


class FundingSource(models.Model):
    """A pot that invoices are drawn from, in the stated order. Its terms never change: it is ended,
    and another one is added."""

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
            models.CheckConstraint(condition=models.Q(won__gt=0), name="funding_draw_something"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.cost} {self.won}"
