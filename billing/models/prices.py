"""Prices: superseded and never edited."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models


class TokenTariff(models.Model):
    """What tokens of one model cost from a moment on, in won per million tokens, without VAT."""

    public_id = models.CharField(max_length=24, unique=True)
    model = models.CharField(max_length=64, help_text="Slug of the catalogue model.")
    price_in = models.DecimalField(max_digits=18, decimal_places=6)
    price_cached = models.DecimalField(max_digits=18, decimal_places=6)
    price_out = models.DecimalField(max_digits=18, decimal_places=6)
    starts_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["model", "-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "starts_at"], name="token_tariff_once"),
            models.CheckConstraint(
                condition=models.Q(price_in__gte=0, price_cached__gte=0, price_out__gte=0),
                name="token_tariff_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    def price_of(self, kind: str) -> Decimal:
        """Won per million tokens of one kind of item (``billing.rating.Item.kind``)."""
        prices = {
            "token_in": self.price_in,
            "token_cached": self.price_cached,
            "token_out": self.price_out,
        }
        return prices[kind]


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
