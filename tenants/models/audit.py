"""Who did what."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.models.organizations import Organization, TenantQuerySet


class AuditEvent(models.Model):
    """Who did what to what, when and why. Append-only in the database itself."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=12)  # user, key, system
    actor_label = models.CharField(max_length=120)
    actor_ref = models.CharField(max_length=40, blank=True)
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    changes = models.JSONField(default=dict)
    because = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [models.Index(fields=["organization", "-at"], name="audit_org_time")]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"
