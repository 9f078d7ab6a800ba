"""Credit notes: how an issued invoice is corrected. They never change either."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from billing.models.invoices import Invoice, InvoiceLine
from tenants.models import TenantQuerySet


class NumberSeries(models.Model):
    """The last number of a series of documents, locked while numbers are taken."""

    name = models.CharField(max_length=24, primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.last}"


class CreditNote(models.Model):
    """What is taken back of one invoice. It copies every text and number that it shows."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="credit_notes")
    number = models.CharField(max_length=20, unique=True)
    issued_at = models.DateTimeField()
    issue_date = models.DateField()
    seller = models.JSONField()
    buyer = models.JSONField()
    supply_won = models.BigIntegerField()
    vat_won = models.BigIntegerField()
    untaxed_won = models.BigIntegerField(db_default=0)
    total_won = models.BigIntegerField()
    vat_rule = models.CharField(max_length=24)
    because = models.CharField(max_length=300, help_text="The customer reads it.")
    reason = models.CharField(
        max_length=20, db_default="price", help_text="A word of billing.etax.amendments.Reason."
    )
    proposal = models.CharField(
        max_length=24, unique=True, help_text="Public id of what two people agreed on."
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-issued_at", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="credit_note_org_id"),
            models.CheckConstraint(
                condition=models.Q(
                    total_won=models.F("supply_won") + models.F("vat_won") + models.F("untaxed_won")
                ),
                name="credit_note_total",
            ),
            models.CheckConstraint(
                condition=models.Q(total_won__gt=0), name="credit_note_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """What is taken back of one line. Amounts have the sign of the invoice's line."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, related_name="lines")
    invoice_line = models.ForeignKey(InvoiceLine, models.PROTECT, related_name="credits")
    position = models.PositiveIntegerField()
    usage_month = models.CharField(max_length=7)
    text_ko = models.CharField(max_length=200)
    text_en = models.CharField(max_length=200)
    amount_won = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["credit_note", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["credit_note", "position"], name="credit_note_line_once"
            ),
        ]

    def __str__(self) -> str:
        return self.text_ko


class KeptDocument(models.Model):
    """A rendered PDF, kept as it was sent: credit notes, and copies in English."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    subject = models.CharField(max_length=24, help_text="Public id of the document.")
    language = models.CharField(max_length=2)
    pdf = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    rendered_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject", "language"], name="kept_document_once"),
        ]

    def __str__(self) -> str:
        return self.sha256
