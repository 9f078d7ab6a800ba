"""Prices: superseded and never edited."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models

from billing.resolution import Version, cards, tokens


class TokenTariff(models.Model):
    """What tokens of one model cost from a moment on, in won per million tokens, without VAT."""

    public_id = models.CharField(max_length=24, unique=True)
    model = models.CharField(max_length=64, help_text="Slug of the catalogue model.")
    offering_class = models.CharField(
        max_length=24,
        blank=True,
        default="",
        help_text="Chip of the offerings that cost something else; empty: all.",
    )
    price_in = models.DecimalField(max_digits=18, decimal_places=6)
    price_cached = models.DecimalField(max_digits=18, decimal_places=6)
    price_out = models.DecimalField(max_digits=18, decimal_places=6)
    starts_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["model", "offering_class", "-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model", "offering_class", "starts_at"], name="token_tariff_once"
            ),
            models.CheckConstraint(
                condition=models.Q(price_in__gte=0, price_cached__gte=0, price_out__gte=0),
                name="token_tariff_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    def price_of(self, kind: str) -> Decimal:
        """Won per million tokens of one kind of item (``billing.rating.Item.kind``)."""
        return self.version.price_of(kind)

    @property
    def version(self) -> Version:
        return Version(
            public_id=self.public_id,
            item=tokens(self.model),
            starts_at=self.starts_at,
            offering_class=self.offering_class,
            price_in=self.price_in,
            price_cached=self.price_cached,
            price_out=self.price_out,
        )


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

    @property
    def version(self) -> Version:
        return Version(
            public_id=self.public_id,
            item=cards(self.chip),
            starts_at=self.starts_at,
            won=self.won_per_hour,
        )


class PriceTerm(models.Model):
    """What holds for everybody beside the unit prices, from a moment on: tiers, a discount for
    batch, a fee, the shortest time that a replica is billed for."""

    public_id = models.CharField(max_length=24, unique=True)
    kind = models.CharField(max_length=24)
    item = models.CharField(max_length=80)
    value = models.JSONField(help_text="As billing.term_values reads it.")
    starts_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["kind", "item", "-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "item", "starts_at"], name="price_term_once"),
        ]

    def __str__(self) -> str:
        return self.public_id


class PriceNotice(models.Model):
    """A change of the list that customers are told of, organization by organization."""

    version = models.CharField(max_length=24, unique=True, help_text="Of the price or term.")
    what = models.CharField(max_length=16, help_text="tokens, cards, storage or terms.")
    name = models.CharField(max_length=80, help_text="Model, chip, storage, or the term's item.")
    offering_class = models.CharField(max_length=24, blank=True, default="")
    starts_at = models.DateTimeField()
    reached = models.BigIntegerField(
        default=0, help_text="Organizations with a number up to this one have been told."
    )
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.version
