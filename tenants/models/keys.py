"""API keys: secrets that act for one project."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User
from tenants.models.projects import Project


class KeyMode(models.TextChoices):
    LIVE = "live", _("Live use")
    TEST = "test", _("Test")


class ApiKeyQuerySet(TenantQuerySet["ApiKey"]):
    project_path = "project__public_id"


class ApiKey(models.Model):
    """A secret that acts for one project. Only its SHA-256 is kept."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="keys")
    project = models.ForeignKey(Project, models.PROTECT, related_name="keys")
    name = models.CharField(max_length=60)
    mode = models.CharField(max_length=8, default=KeyMode.LIVE)
    public_part = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64, unique=True)
    # Names that higher apps know. Empty allows all; an unknown name allows nothing.
    allowed_models = ArrayField(models.CharField(max_length=64), default=list)
    allowed_sites = ArrayField(models.CharField(max_length=32), default=list)
    scopes = ArrayField(models.CharField(max_length=16), default=list)
    allowed_addresses = ArrayField(
        models.CharField(max_length=49), default=list, help_text="CIDR. Empty: from anywhere."
    )
    rpm_limit = models.PositiveIntegerField(default=60)
    tpm_limit = models.PositiveIntegerField(
        default=0, help_text="Tokens a minute, worst cases counted. 0: no such limit."
    )
    concurrency_limit = models.PositiveIntegerField(default=16)
    created_by = models.CharField(max_length=120)
    made_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", help_text="Answers for the key."
    )
    replaces = models.CharField(max_length=24, blank=True, help_text="The key it was rotated from.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True, help_text="Known to the minute.")
    used_from = models.CharField(max_length=45, blank=True, help_text="Internet address.")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="api_key_org_id"),
            models.CheckConstraint(
                condition=models.Q(mode__in=KeyMode.values), name="api_key_mode"
            ),
        ]

    def __str__(self) -> str:
        return self.public_part

    @property
    def mode_label(self) -> str:
        return str(KeyMode(self.mode).label)

    def state_at(self, now: datetime) -> str:
        """``live``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "live"
