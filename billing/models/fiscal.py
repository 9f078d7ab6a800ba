"""Fiscal years of public bodies: lines, an append-only journal of movements, the register of
commitments, transfers that wait for a second person, and what is carried over.

Amounts are whole won with VAT. Columns are never kept: they are sums of movements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.models import TenantQuerySet

if TYPE_CHECKING:
    from tenants.actors import Actor


class FiscalYearState(models.TextChoices):
    PLANNED = "planned", _("Being planned")
    OPEN = "open", pgettext_lazy("fiscal year", "Open")
    CLOSED = "closed", pgettext_lazy("fiscal year", "Closed")


class FiscalYear(models.Model):
    """One year's budget of an organization. Its row is locked by whatever writes into it."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    year = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=16, default=FiscalYearState.PLANNED)
    last_commitment = models.PositiveIntegerField(default=0, help_text="Last 원인행위번호 given.")
    last_movement = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-year"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="fiscal_year_org_id"),
            models.UniqueConstraint(fields=["organization", "year"], name="fiscal_year_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=FiscalYearState.values), name="fiscal_year_state"
            ),
            models.CheckConstraint(
                condition=models.Q(year__gte=2000, year__lte=2999), name="fiscal_year_sensible"
            ),
        ]

    def __str__(self) -> str:
        return str(self.year)


class FiscalYearMove(models.Model):
    """Why a year changed its state."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    fiscal_year = models.ForeignKey(FiscalYear, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300)
    by = models.CharField(max_length=120)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class CarryKind(models.TextChoices):
    NAMED = "named", _("Carried over as named")
    ACCIDENT = "accident", _("Carried over by accident")


class BudgetLineQuerySet(TenantQuerySet["BudgetLine"]):
    """Lines are the organization's: who sees some projects only sees the lines that pay for
    them."""

    def visible_to(self, actor: Actor) -> Self:
        rows = super().visible_to(actor)
        if actor.projects is None:
            return rows
        return rows.filter(bindings__project__public_id__in=actor.projects).distinct()


class BudgetLine(models.Model):
    """세목: a line of the year's budget, such as 201-02 공공운영비. What was carried over into the
    year has lines of its own."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    fiscal_year = models.ForeignKey(FiscalYear, models.PROTECT, related_name="lines")
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=60)
    carried = models.CharField(max_length=16, blank=True, help_text="How it came from last year.")
    carried_from = models.ForeignKey("self", models.PROTECT, related_name="carried_into", null=True)
    created_at = models.DateTimeField()

    objects = BudgetLineQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["code", "carried", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="budget_line_org_id"),
            models.UniqueConstraint(
                fields=["fiscal_year", "code", "carried"], name="budget_line_once"
            ),
            models.CheckConstraint(
                condition=models.Q(carried__in=["", *CarryKind.values]), name="budget_line_carried"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def title(self) -> str:
        """The name, and where it was carried over from."""
        if not self.carried:
            return self.name
        kind = CarryKind(self.carried).label
        return f"{self.name} ({self.fiscal_year.year - 1} {kind})"


class ProjectLine(models.Model):
    """Which line pays for a project in a year."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.ForeignKey("tenants.Project", models.PROTECT, related_name="+")
    fiscal_year = models.ForeignKey(FiscalYear, models.PROTECT, related_name="bindings")
    line = models.ForeignKey(BudgetLine, models.PROTECT, related_name="bindings")
    bound_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "fiscal_year"], name="project_line_one_a_year"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project_id} → {self.line_id}"


class CommitmentOrigin(models.TextChoices):
    DOCUMENT = "document", _("Contract or document")
    ORDER = "order", _("Endpoint of one's own")
    USAGE = "usage", _("Usage, estimated")
    LATE = "late", _("Usage of a closed year")


class FiscalCommitment(models.Model):
    """One line of the register of commitments (원인행위부). It never changes; how much it is now
    is the sum of its movements."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    fiscal_year = models.ForeignKey(FiscalYear, models.PROTECT, related_name="commitments")
    line = models.ForeignKey(BudgetLine, models.PROTECT, related_name="commitments")
    number = models.PositiveIntegerField(help_text="원인행위번호 within the year; no gaps.")
    origin = models.CharField(max_length=16)
    subject = models.CharField(max_length=120, help_text="What for (적요).")
    counterparty = models.CharField(max_length=80)
    document = models.CharField(max_length=80, blank=True, help_text="Number of the paper.")
    project = models.CharField(max_length=24, blank=True)
    reference = models.CharField(max_length=40, blank=True, help_text="Order or month of usage.")
    month = models.CharField(max_length=7, blank=True)
    on_date = models.DateField()
    recorded_at = models.DateTimeField()
    by = models.CharField(max_length=120)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="fiscal_commitment_org_id"),
            models.UniqueConstraint(
                fields=["fiscal_year", "number"], name="fiscal_commitment_number"
            ),
            models.UniqueConstraint(
                fields=["line", "reference", "month"],
                condition=~models.Q(reference=""),
                name="fiscal_commitment_reference",
            ),
            models.CheckConstraint(
                condition=models.Q(origin__in=CommitmentOrigin.values),
                name="fiscal_commitment_origin",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def label(self) -> str:
        """원인행위번호 as it stands on papers: ``2026-00012``."""
        return f"{self.fiscal_year.year}-{self.number:05d}"

    @property
    def origin_label(self) -> str:
        """Where it comes from, in the reader's words."""
        return str(CommitmentOrigin(self.origin).label)


class FiscalMovement(models.Model):
    """One entry of the journal; ``won`` is what it adds to its column."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    fiscal_year = models.ForeignKey(FiscalYear, models.PROTECT, related_name="movements")
    number = models.PositiveIntegerField(help_text="Place in the year's journal; no gaps.")
    line = models.ForeignKey(BudgetLine, models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=16)
    won = models.BigIntegerField()
    quarter = models.PositiveSmallIntegerField(default=0)
    from_quarter = models.PositiveSmallIntegerField(default=0)
    commitment = models.ForeignKey(
        FiscalCommitment, models.PROTECT, related_name="movements", null=True
    )
    reverses = models.OneToOneField("self", models.PROTECT, related_name="reversed_by", null=True)
    document = models.CharField(max_length=80, blank=True)
    project = models.CharField(max_length=24, blank=True, help_text="Whose usage it books.")
    usage_month = models.CharField(max_length=7, blank=True)
    on_date = models.DateField()
    because = models.CharField(max_length=300, blank=True)
    by = models.CharField(max_length=120)
    approved_by = models.CharField(max_length=120, blank=True)
    recorded_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="fiscal_movement_org_id"),
            models.UniqueConstraint(
                fields=["fiscal_year", "number"], name="fiscal_movement_number"
            ),
            models.CheckConstraint(
                condition=~models.Q(won=0), name="fiscal_movement_moves_something"
            ),
            models.CheckConstraint(
                condition=models.Q(quarter__lte=4, from_quarter__lte=4),
                name="fiscal_movement_quarters",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["line", "on_date"], name="fiscal_movement_line"),
            models.Index(fields=["line", "usage_month"], name="fiscal_movement_usage"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.won}"


class TransferState(models.TextChoices):
    OPEN = "open", _("Waiting for approval")
    APPROVED = "approved", pgettext_lazy("transfer", "Approved")
    REJECTED = "rejected", pgettext_lazy("transfer", "Rejected")


class FiscalTransfer(models.Model):
    """전용: asked for by one person, approved by another."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    fiscal_year = models.ForeignKey(FiscalYear, models.PROTECT, related_name="transfers")
    source = models.ForeignKey(BudgetLine, models.PROTECT, related_name="+")
    target = models.ForeignKey(BudgetLine, models.PROTECT, related_name="+")
    won = models.BigIntegerField()
    because = models.CharField(max_length=300)
    state = models.CharField(max_length=16, default=TransferState.OPEN)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=120)
    asked_ref = models.CharField(max_length=64, help_text="Opaque id of who asked.")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=120, blank=True)
    decided_because = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(won__gt=0), name="fiscal_transfer_positive"),
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")), name="fiscal_transfer_two_lines"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=TransferState.values), name="fiscal_transfer_state"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Carryover(models.Model):
    """이월: that something may be carried over, and at the close what was."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    fiscal_year = models.ForeignKey(FiscalYear, models.PROTECT, related_name="carryovers")
    line = models.ForeignKey(BudgetLine, models.PROTECT, related_name="carryovers")
    kind = models.CharField(max_length=16)
    commitment = models.ForeignKey(
        FiscalCommitment, models.PROTECT, related_name="carryovers", null=True
    )
    won = models.BigIntegerField(help_text="The most; of a commitment all that is outstanding.")
    because = models.CharField(max_length=300)
    document = models.CharField(max_length=80, blank=True)
    named_at = models.DateTimeField()
    named_by = models.CharField(max_length=120)
    withdrawn_at = models.DateTimeField(null=True)
    carried_won = models.BigIntegerField(null=True, help_text="Null until the year is closed.")
    into = models.ForeignKey(BudgetLine, models.PROTECT, related_name="+", null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["kind", "pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=CarryKind.values), name="carryover_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="named", commitment=None)
                | models.Q(kind="accident", commitment__isnull=False),
                name="carryover_of_a_commitment",
            ),
            models.UniqueConstraint(
                fields=["line"],
                condition=models.Q(kind="named", withdrawn_at=None),
                name="carryover_named_once",
            ),
            models.UniqueConstraint(
                fields=["commitment"],
                condition=models.Q(withdrawn_at=None),
                name="carryover_commitment_once",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
