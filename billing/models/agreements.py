"""What one organization has agreed with the operator: its own prices and terms, for a while.

Rows are never changed, except that an end may come earlier. What a request or an hour is priced
with is a version (``AgreedTariff``), which no end touches: ledger entries name it.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    DateTimeRangeField,
    RangeBoundary,
    RangeOperators,
)
from django.db import models

from billing.resolution import Version
from tenants.models import TenantQuerySet


class Agreement(models.Model):
    """One document of one organization, from a midnight in Korea on, before another one."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    reference = models.CharField(max_length=80, help_text="Number of the signed document.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, help_text="Empty: until somebody ends it.")
    made_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-starts_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="agreement_org_id"),
            models.CheckConstraint(
                condition=models.Q(ends_at=None) | models.Q(ends_at__gte=models.F("starts_at")),
                name="agreement_forward",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class AgreedTerm(models.Model):
    """One thing that was agreed: a price, percent off a price, tiers, a fee, a minimum."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="terms")
    kind = models.CharField(max_length=24)
    item = models.CharField(max_length=80)
    value = models.JSONField(help_text="As billing.term_values reads it.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["agreement", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="agreed_term_org_id"),
            ExclusionConstraint(
                name="agreed_term_no_overlap",
                expressions=[
                    ("organization", RangeOperators.EQUAL),
                    ("kind", RangeOperators.EQUAL),
                    ("item", RangeOperators.EQUAL),
                    (
                        models.Func(
                            "starts_at",
                            "ends_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class AgreedTariff(models.Model):
    """A version of an agreed price: what a ledger entry of this organization can name.

    A price that was agreed as percent has one version for each price of the list that it follows.
    """

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    term = models.ForeignKey(AgreedTerm, models.PROTECT, related_name="tariffs")
    item = models.CharField(max_length=80)
    offering_class = models.CharField(max_length=24, blank=True, default="")
    based_on = models.CharField(
        max_length=24, blank=True, default="", help_text="The list's version that it follows."
    )
    price_in = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    price_cached = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    price_out = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    won = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    starts_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["item", "offering_class", "-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["term", "offering_class", "starts_at"], name="agreed_tariff_once"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    price_in__gte=0, price_cached__gte=0, price_out__gte=0, won__isnull=True
                )
                | models.Q(
                    price_in__isnull=True,
                    price_cached__isnull=True,
                    price_out__isnull=True,
                    won__gte=0,
                ),
                name="agreed_tariff_one_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def version(self) -> Version:
        return Version(
            public_id=self.public_id,
            item=self.item,
            starts_at=self.starts_at,
            first_at=self.term.starts_at,
            ends_at=self.term.ends_at,
            offering_class=self.offering_class,
            price_in=self.price_in,
            price_cached=self.price_cached,
            price_out=self.price_out,
            won=self.won,
        )
