"""Requests of customers to the operator, and what was said about them.

People stand here by their opaque ids (``usr_…``) only; whoever shows a row looks up the names.
Remarks of the operator have a table of their own, which no customer's transaction can read.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

from tenants.models.files import StoredFile
from tenants.models.incidents import Incident
from tenants.models.organizations import Organization, TenantQuerySet
from tenants.support.words import (
    OPEN,
    REOPENED_WITHIN,
    UNANSWERED,
    Grade,
    RequestKind,
    RequestState,
    Side,
)

if TYPE_CHECKING:
    from tenants.actors import Actor


class RequestQuerySet(TenantQuerySet["SupportRequest"]):
    def visible_to(self, actor: Actor) -> RequestQuerySet:
        """One's own; with ``support.read`` those of the organization, as far as one's projects."""
        rows = self.filter(organization=actor.organization)
        own = Q(requester=actor.user.public_id) if actor.user else Q(pk=None)
        if not actor.can("support.read"):
            return rows.filter(own)
        return rows if actor.projects is None else rows.filter(own | Q(project__in=actor.projects))


class SupportRequest(models.Model):
    """One thing that a customer wants of the operator."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    requester = models.CharField(max_length=24, help_text="The public id of the person.")
    kind = models.CharField(max_length=12)
    severity = models.CharField(max_length=12)
    state = models.CharField(max_length=16, default=RequestState.NEW)
    subject = models.CharField(max_length=120)
    # Where the person was: shown as text, never as a link.
    path = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    project = models.CharField(max_length=24, blank=True, help_text="Public id of the project.")
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, related_name="+")
    assignee = models.CharField(max_length=24, blank=True, help_text="One of the operator's staff.")
    created_at = models.DateTimeField()
    moved_at = models.DateTimeField(help_text="Since when it has its state.")
    due_at = models.DateTimeField(help_text="The first answer.")
    answered_at = models.DateTimeField(null=True, help_text="The first answer was given.")
    told_overdue_at = models.DateTimeField(null=True)
    idempotency_key = models.CharField(max_length=80, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)

    objects = RequestQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["organization", "-id"], name="support_of_organization"),
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=list(UNANSWERED), answered_at=None),
                name="support_due",
            ),
            models.Index(fields=["moved_at"], condition=Q(state="solved"), name="support_solved"),
            models.Index(fields=["state", "due_at"], name="support_queue"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="support_request_org_id"),
            models.UniqueConstraint(
                fields=["organization", "requester", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="support_request_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=RequestState.values), name="support_request_state"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def kind_label(self) -> str:
        return str(RequestKind(self.kind).label)

    @property
    def severity_label(self) -> str:
        return str(Grade(self.severity).label)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def takes_answers_at(self, now: datetime) -> bool:
        """Whether an answer still reaches somebody: what is solved is reopened for 14 days."""
        if self.state == RequestState.SOLVED:
            return now < self.moved_at + REOPENED_WITHIN
        return self.is_open

    def is_overdue_at(self, now: datetime) -> bool:
        return self.answered_at is None and self.state in UNANSWERED and self.due_at <= now


class OfRequest[M: models.Model](TenantQuerySet[M]):
    def visible_to(self, actor: Actor) -> OfRequest[M]:
        """What belongs to the requests that the actor sees."""
        return self.filter(request__in=SupportRequest.objects.visible_to(actor))


class SupportMessage(models.Model):
    """What one side said to the other. Both read it."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    request = models.ForeignKey(SupportRequest, models.PROTECT, related_name="messages")
    side = models.CharField(max_length=10)
    author = models.CharField(max_length=24, help_text="The public id of the person.")
    text = models.TextField(max_length=10_000)
    at = models.DateTimeField()

    objects = OfRequest.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(side__in=[Side.CUSTOMER, Side.OPERATOR]), name="support_message_side"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class SupportRemark(models.Model):
    """What the operator's staff tell each other about a request. Never shown to the customer."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    request = models.ForeignKey(SupportRequest, models.PROTECT, related_name="+")
    author = models.CharField(max_length=24)
    text = models.TextField(max_length=10_000)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.public_id


class SupportAttachment(models.Model):
    """A checked file that one side gave the other."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    request = models.ForeignKey(SupportRequest, models.PROTECT, related_name="attachments")
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+")
    side = models.CharField(max_length=10)
    author = models.CharField(max_length=24)
    at = models.DateTimeField()

    objects = OfRequest.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.public_id


class SupportMove(models.Model):
    """Why a request has another state or severity. Both sides read it; nobody changes it."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    request = models.ForeignKey(SupportRequest, models.PROTECT, related_name="moves")
    what = models.CharField(max_length=8, help_text="state or severity")
    before = models.CharField(max_length=16, blank=True)
    after = models.CharField(max_length=16)
    because = models.CharField(max_length=300)
    side = models.CharField(max_length=10)
    by = models.CharField(max_length=24, blank=True)
    at = models.DateTimeField()

    objects = OfRequest.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.request_id} {self.before} → {self.after}"


class SupportConsent(models.Model):
    """That a person let the operator's staff look at the pages for a request. Rows are history."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    request = models.ForeignKey(SupportRequest, models.PROTECT, related_name="consents")
    given_by = models.CharField(max_length=24)
    given_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_because = models.CharField(max_length=10, blank=True, help_text="withdrawn or closed")

    objects = OfRequest.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["request"], condition=Q(ended_at=None), name="support_consent_once"
            ),
            models.CheckConstraint(
                condition=Q(until__gt=models.F("given_at")), name="support_consent_has_an_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.given_at}"

    def is_live_at(self, now: datetime) -> bool:
        return self.ended_at is None and self.given_at <= now < self.until


class SupportFollower(models.Model):
    """Who is told about a request."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    request = models.ForeignKey(SupportRequest, models.PROTECT, related_name="followers")
    person = models.CharField(max_length=24)

    objects = OfRequest.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "person"], name="support_follower_once"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.person}"
