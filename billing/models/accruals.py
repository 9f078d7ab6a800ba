"""What use has cost, by business day: the money ledger between usage and invoices."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tenants.models import OfProject, TenantQuerySet


class PriceLine(models.Model):
    """What is rated at one price: a kind of use, of what, at which price version.

    It belongs to no organization, so that the many rows that name it stay small. ``tokens`` has
    the three kinds of tokens of a model; ``card_seconds`` names a chip, ``storage`` a kind of
    storage; ``correction`` takes back what was written off of a model.
    """

    id = models.AutoField(primary_key=True)
    kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=64)
    price_version = models.CharField(max_length=24)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "subject", "price_version"], name="price_line_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.price_version}"


_ALL = ("quantity", "cached", "output", "amount_micro")


class Accrual(models.Model):
    """What one business day's use of a price line has cost: accrued ← revenue, or loss ← accrued
    where it was written off.

    Rows are added, never changed: what is recorded later is a further row of its own day, with the
    next number. Whose row it is was checked when the use was recorded, and lines stay for ever, so
    that no foreign key is looked up for millions of rows.
    """

    pk = models.CompositePrimaryKey(
        "organization_id", "day", "line_id", "project", "subject", "label", "number"
    )
    organization = models.ForeignKey(
        "tenants.Organization",
        models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    day = models.DateField(help_text="Business day in Korea on which it was used.")
    line = models.ForeignKey(
        PriceLine, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    project = models.CharField(max_length=24)
    subject = models.CharField(max_length=24, help_text="Endpoint, where the line is card time.")
    label = models.CharField(max_length=128, help_text="Its name, chip and site.")
    number = models.PositiveSmallIntegerField()
    # Input tokens that were not cached, card-seconds, megabyte-seconds, or micro-won written off.
    quantity = models.BigIntegerField()
    cached = models.BigIntegerField(help_text="Cached input tokens.")
    output = models.BigIntegerField(help_text="Output tokens.")
    amount_micro = models.DecimalField(max_digits=30, decimal_places=6)
    rated_at = models.DateTimeField()

    objects = OfProject.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(**{f"{name}__gte": 0 for name in _ALL})
                | Q(**{f"{name}__lte": 0 for name in _ALL}),
                name="accrual_amount_has_its_sign",
            ),
            models.CheckConstraint(
                condition=~Q(quantity=0, cached=0, output=0), name="accrual_of_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.line_id} {self.amount_micro}"


class Unrated(models.Model):
    """Use of one day that could not be rated. It is tried again; nothing is billed meanwhile."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    day = models.DateField()
    project = models.CharField(max_length=24)
    kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=64)
    price_version = models.CharField(max_length=24)
    because = models.CharField(max_length=16, help_text="no_price or implausible.")
    seen_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "day", "project", "kind", "subject", "price_version"],
                name="unrated_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.subject} {self.price_version}"


class RatingMark(models.Model):
    """How far rating has come: one row, moved by each run for all organizations."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    recorded_at = models.DateTimeField(help_text="All that was recorded before is rated.")
    day = models.DateField(help_text="The first business day that is not rated as a whole.")
    rated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.day} {self.recorded_at:%Y-%m-%d %H:%M}"
