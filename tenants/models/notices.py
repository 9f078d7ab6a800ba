"""What people are told."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User


class Notice(models.Model):
    """One thing that one person is told. ``tenants.notices`` writes them."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40)
    words = models.JSONField(default=dict, help_text="What the sentence of the kind names.")
    place = models.CharField(max_length=200, blank=True, help_text="Where it leads: a path.")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [models.Index(fields=["user", "-at"], name="notice_user_time")]

    def __str__(self) -> str:
        return self.kind
