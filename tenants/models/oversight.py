"""What the operator keeps about customers: holds, quotas, notes, read-only views, proposals.

Only platform work writes here. A customer may read its own holds, quotas and who looked at it;
notes and proposals are never let through to anybody else.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User

if TYPE_CHECKING:
    from tenants.actors import Actor


class OperatorHold(models.Model):
    """A suspension by the operator. It holds until it is lifted; the rows are its history."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="holds")
    because = models.CharField(max_length=300, help_text="The customer reads it.")
    held_at = models.DateTimeField()
    held_by = models.CharField(max_length=120)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=120, blank=True)
    lifted_because = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-held_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=models.Q(lifted_at=None),
                name="operator_hold_once",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class PaymentHold(models.Model):
    """Nothing new is spent while an invoice is long overdue. Lifted once it is paid."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="payment_holds")
    document = models.CharField(max_length=24, help_text="Public id of the unpaid invoice.")
    number = models.CharField(max_length=20, help_text="Its number.")
    held_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-held_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=models.Q(lifted_at=None),
                name="payment_hold_once",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Quota(models.Model):
    """How many of a thing one organization may have, where it is not the default."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="quotas")
    name = models.CharField(max_length=32, help_text="A name of tenants.quotas.")
    most = models.PositiveIntegerField()
    because = models.CharField(max_length=300)
    set_by = models.CharField(max_length=120)
    set_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="quota_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.most}"


class RaiseState(models.TextChoices):
    OPEN = "open", _("Waits for the operator")
    GRANTED = "granted", _("Granted")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class QuotaRaiseQuerySet(TenantQuerySet["QuotaRaise"]):
    def visible_to(self, actor: Actor) -> Self:
        """The organization's own; the operator's people decide all."""
        return self.all() if actor.can("operator.read") else super().visible_to(actor)


class QuotaRaise(models.Model):
    """A customer asks for more of a thing than it may have; the operator decides."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    name = models.CharField(max_length=32, help_text="A name of tenants.quotas.")
    from_most = models.PositiveIntegerField()
    to_most = models.PositiveIntegerField()
    because = models.CharField(max_length=300)
    state = models.CharField(max_length=16, default=RaiseState.OPEN)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=120)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=120, blank=True)
    decided_because = models.CharField(max_length=300, blank=True)

    objects = QuotaRaiseQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=models.Q(state="open"),
                name="quota_raise_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=RaiseState.values), name="quota_raise_state"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class OperatorNote(models.Model):
    """What the operator's staff tell each other about a customer. Never shown to it."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)
    by = models.CharField(max_length=120)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return self.public_id


class StaffView(models.Model):
    """One of the operator's staff reads as one of the organization's members would, for a while."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    staff = models.ForeignKey(User, models.PROTECT, related_name="+")
    staff_label = models.CharField(max_length=120)
    because = models.CharField(max_length=300, help_text="The customer reads it.")
    request = models.CharField(
        max_length=24, blank=True, help_text="The support request that consented to it."
    )
    began_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-began_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["staff", "-began_at"], name="view_staff_time")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(until__gt=models.F("began_at")), name="view_has_an_end"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    def is_live_at(self, now: datetime) -> bool:
        return self.ended_at is None and self.began_at <= now < self.until


class Decision(models.TextChoices):
    OPEN = "open", _("Waiting for a second person")
    APPROVED = "approved", _("Approved and carried out")
    REJECTED = "rejected", _("Rejected")
    EXPIRED = "expired", _("Expired")


class Proposal(models.Model):
    """A deed that takes two people: one proposes, another approves, and it is done once."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", help_text="The operator's own."
    )
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=64, help_text="What it is about: an id or a name.")
    payload = models.JSONField(default=dict)
    because = models.CharField(max_length=300)
    proposed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decision = models.CharField(max_length=12, default=Decision.OPEN)
    decided_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    decided_because = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-proposed_at", "-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(decision="open"),
                name="proposal_open",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(decision__in=Decision.values), name="proposal_decision"
            ),
            models.CheckConstraint(
                condition=~models.Q(decision="approved")
                | (
                    models.Q(decided_by__isnull=False)
                    & ~models.Q(decided_by=models.F("proposed_by"))
                ),
                name="proposal_takes_two",
            ),
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=models.Q(decision="open"),
                name="proposal_open_once",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def decision_label(self) -> str:
        return str(Decision(self.decision).label)
