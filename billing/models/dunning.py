"""That somebody was reminded of an invoice; the row that makes it once."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from billing.models.invoices import Invoice
from tenants.models import TenantQuerySet


class Reminder(models.Model):
    """A step of ``billing.dunning`` that was taken. Append-only."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="reminders")
    step = models.CharField(max_length=16, help_text="before-3, after-1, …, restrict-30")
    open_won = models.BigIntegerField(help_text="What was still to be paid then.")
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "step"], name="reminder_once"),
        ]

    def __str__(self) -> str:
        return self.step
