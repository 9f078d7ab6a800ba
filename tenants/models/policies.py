"""What an organization asks of those who sign in, and how its own sign-in is reached."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User


class Policy(models.Model):
    """The rules of sign-in; an organization without a row has none. NULL: no limit."""

    organization = models.OneToOneField(Organization, models.PROTECT, related_name="policy")
    mfa_required = models.BooleanField(default=False)
    sso_only = models.BooleanField(default=False)
    allowed_addresses = ArrayField(
        models.CharField(max_length=49), default=list, help_text="CIDR. Empty: from anywhere."
    )
    idle_minutes = models.PositiveIntegerField(null=True)
    session_hours = models.PositiveIntegerField(null=True)
    changed_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.organization_id)


class SingleSignOn(models.Model):
    """The organization's own OpenID provider. ``tested_at``: a member came through it as it is."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.OneToOneField(Organization, models.PROTECT, related_name="single_sign_on")
    issuer = models.URLField(max_length=200)
    client_id = models.CharField(max_length=200)
    sealed_secret = models.TextField()
    made_at = models.DateTimeField()
    tested_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.issuer


class SingleSignOnIdentity(models.Model):
    """Who a subject of the organization's provider is here. Bound at the first sign-in."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    bound_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "issuer", "subject"], name="sso_subject_once"
            ),
            models.UniqueConstraint(
                fields=["organization", "issuer", "user"], name="sso_user_once"
            ),
        ]

    def __str__(self) -> str:
        return self.subject


class DomainClaim(models.Model):
    """A mail domain that the organization says is its own; proven by a record in its DNS."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="domains")
    domain = models.CharField(max_length=253)
    token = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    proven_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["domain"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "domain"], name="domain_claim_once"),
            models.UniqueConstraint(
                fields=["domain"],
                condition=models.Q(proven_at__isnull=False),
                name="domain_proven_once",
            ),
        ]

    def __str__(self) -> str:
        return self.domain
