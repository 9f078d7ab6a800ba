"""The operator's bank: statements, their lines and what became of each.

A bank statement is the operator's paper: it and its lines belong to the operator's organization,
also those that nobody can place. A payment belongs to the customer who paid it. The two are tied
by the line's public id, so that no row points into another tenant.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import OuterRef, Subquery

from tenants.models import TenantQuerySet


class BankStatement(models.Model):
    """A file of the bank as it was handed in. Kept whole; the same file comes in once."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64, unique=True)
    handed_in_at = models.DateTimeField()
    by_ref = models.CharField(max_length=120, help_text="Opaque id of who did it.")

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
    by_ref = models.CharField(max_length=120, help_text="Opaque id of who did it.")

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
    by_ref = models.CharField(max_length=120, help_text="Opaque id of who did it.")

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
    by_ref = models.CharField(max_length=120, help_text="Opaque id of who did it.")

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.number
