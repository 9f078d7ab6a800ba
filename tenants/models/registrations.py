"""How an organization became a customer: its evidence, and what was asked, said and agreed to."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tenants.models.files import StoredFile
from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User


class RegistrationMove(models.Model):
    """One change of an organization's registration, and why. Append-only."""

    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="registration_moves"
    )
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20)
    because = models.CharField(max_length=300)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class EvidenceKind(models.TextChoices):
    BUSINESS = "business", _("Business registration certificate")
    BODY = "body", _("Certificate of a unique number (고유번호증)")
    MEDICAL = "medical", _("Licence of a medical institution")
    OTHER = "other", _("Another document")


class EvidenceState(models.TextChoices):
    WAITING = "waiting", _("Waiting for the operator")
    ACCEPTED = "accepted", _("Accepted")
    RETURNED = "returned", _("Asked back")


class Evidence(models.Model):
    """A document that shows that the organization is what it says."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="evidence")
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12)
    state = models.CharField(max_length=12, default=EvidenceState.WAITING)
    handed_in_at = models.DateTimeField()
    handed_in_by = models.CharField(max_length=120)
    decided_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-handed_in_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=EvidenceState.values), name="evidence_state"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def kind_label(self) -> str:
        return str(EvidenceKind(self.kind).label)

    @property
    def state_label(self) -> str:
        return str(EvidenceState(self.state).label)


class EvidenceRequest(models.Model):
    """What the operator asks of the customer. A new document answers it."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="evidence_requests")
    message = models.CharField(max_length=1000)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]

    def __str__(self) -> str:
        return self.public_id


class Terms(models.Model):
    """One version of a document that customers agree to. Append-only: versions are kept."""

    public_id = models.CharField(max_length=40, unique=True)
    document = models.CharField(max_length=20, help_text="service, privacy")
    version = models.CharField(max_length=20)
    effective_at = models.DateTimeField()
    title_ko = models.CharField(max_length=80)
    title_en = models.CharField(max_length=80)
    text_ko = models.TextField()
    text_en = models.TextField()

    class Meta:
        ordering: ClassVar = ["-document", "-effective_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "version"], name="terms_version_once"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def title(self) -> str:
        return self.title_ko if get_language() == "ko" else self.title_en

    @property
    def text(self) -> str:
        return self.text_ko if get_language() == "ko" else self.text_en


class Consent(models.Model):
    """Who agreed for the organization to which version, when, and in which language it was read."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="consents")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    terms = models.ForeignKey(Terms, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    language = models.CharField(max_length=8)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.user_id} {self.terms_id}"


class Signup(models.Model):
    """What one person has filled in so far on the way to an organization. Gone once it is made."""

    user = models.OneToOneField(User, models.CASCADE, related_name="signup")
    choice = models.CharField(max_length=16, blank=True)
    name = models.CharField(max_length=80, blank=True)
    business_number = models.CharField(max_length=10, blank=True)
    medical_number = models.CharField(max_length=8, blank=True)
    corporate_number = models.CharField(max_length=13, blank=True)
    terms = ArrayField(models.CharField(max_length=40), default=list)
    terms_at = models.DateTimeField(null=True)
    terms_language = models.CharField(max_length=8, blank=True)
    saved_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.user_id)
