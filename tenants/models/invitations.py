"""Invitations: a place in an organization, kept for one e-mail address."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User
from tenants.roles import Role


class Invitation(models.Model):
    """Single use, bound to one address. Only the SHA-256 of its token is kept."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="invitations")
    email = models.EmailField(max_length=254, help_text="In the one form of mail_addresses.")
    role = models.CharField(max_length=16)
    all_projects = models.BooleanField(default=True)
    projects = ArrayField(models.CharField(max_length=24), default=list)
    token_sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField()
    sends = models.PositiveSmallIntegerField(default=1)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="invitation_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="invitation_role"
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(revoked_at=None),
                name="invitation_one_end",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def role_label(self) -> str:
        return str(Role(self.role).label)

    def state_at(self, now: datetime) -> str:
        """``open``, ``expired``, ``accepted`` or ``revoked``."""
        if self.accepted_at is not None:
            return "accepted"
        if self.revoked_at is not None:
            return "revoked"
        return "open" if now < self.expires_at else "expired"
