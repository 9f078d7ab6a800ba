"""Access reviews: once a quarter somebody looks at who has what, and signs."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.models.organizations import Organization, TenantQuerySet


class LineKind(models.TextChoices):
    MEMBER = "member", _("Member")
    KEY = "key", _("API key")


class LineDecision(models.TextChoices):
    CONFIRMED = "confirmed", _("Confirmed")
    REMOVED = "removed", _("Removed")


class AccessReview(models.Model):
    """One per organization and quarter. Signed, it never changes again."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    quarter = models.CharField(max_length=7, help_text="2026-Q4")
    opened_at = models.DateTimeField()
    due_date = models.DateField()
    told_overdue_at = models.DateTimeField(null=True)
    signed_at = models.DateTimeField(null=True)
    signed_by = models.CharField(max_length=120, blank=True)
    signed_ref = models.CharField(max_length=24, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-quarter"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="access_review_org_id"),
            models.UniqueConstraint(fields=["organization", "quarter"], name="access_review_once"),
        ]

    def __str__(self) -> str:
        return self.quarter

    def state_on(self, day: date) -> str:
        """``signed``, ``open`` or ``overdue``."""
        if self.signed_at is not None:
            return "signed"
        return "open" if day < self.due_date else "overdue"


class AccessLine(models.Model):
    """What one member or key had when the review was opened, and what was decided about it."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    review = models.ForeignKey(AccessReview, models.PROTECT, related_name="lines")
    kind = models.CharField(max_length=8)
    subject = models.CharField(max_length=24, help_text="The public id of the member or key.")
    label = models.CharField(max_length=120)
    rights = models.JSONField(help_text="What it had: role and projects, or scopes.")
    last_used_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=10, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=120, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-kind", "label", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "kind", "subject"], name="access_line_once"),
            models.CheckConstraint(
                condition=Q(decision="", decided_at=None)
                | Q(decision__in=LineDecision.values, decided_at__isnull=False),
                name="access_line_decision",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"

    @property
    def kind_label(self) -> str:
        return str(LineKind(self.kind).label)

    @property
    def decision_label(self) -> str:
        return str(LineDecision(self.decision).label) if self.decision else ""
