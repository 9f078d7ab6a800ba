"""Deputies: who stands in for a member who is away, and from when to when."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from tenants.models.organizations import Membership, Organization, TenantQuerySet


class Deputyship(models.Model):
    """From ``starts_date`` until before ``ends_date``, days in Korea. It ends by itself."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    # A member who goes takes the deputyships along; the audit log remembers them.
    absent = models.ForeignKey(Membership, models.CASCADE, related_name="deputies")
    deputy = models.ForeignKey(Membership, models.CASCADE, related_name="stands_in")
    starts_date = models.DateField()
    ends_date = models.DateField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=120)
    revoked_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-starts_date", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(starts_date__lt=F("ends_date")), name="deputyship_period"
            ),
            models.CheckConstraint(condition=~Q(absent=F("deputy")), name="deputyship_of_another"),
        ]

    def __str__(self) -> str:
        return self.public_id

    def state_on(self, day: date) -> str:
        """``coming``, ``active``, ``over`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        if day < self.starts_date:
            return "coming"
        return "active" if day < self.ends_date else "over"
