"""Prices of what is stored: superseded and never edited."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from billing.resolution import Version, storage


class StorageTariff(models.Model):
    """What a GB costs per day from a moment on, in won, without VAT."""

    public_id = models.CharField(max_length=24, unique=True)
    storage = models.CharField(max_length=24, help_text="Kind of storage.")
    won_per_gb_day = models.DecimalField(max_digits=18, decimal_places=6)
    starts_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["storage", "-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["storage", "starts_at"], name="storage_tariff_once"),
            models.CheckConstraint(
                condition=models.Q(won_per_gb_day__gte=0), name="storage_tariff_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def version(self) -> Version:
        return Version(
            public_id=self.public_id,
            item=storage(self.storage),
            starts_at=self.starts_at,
            won=self.won_per_gb_day,
        )
