"""The outbox: mails that wait, are being sent, were sent, or could not be."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.models.organizations import Organization, TenantQuerySet


class MailState(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Mail(models.Model):
    """One mail to one address, under one Message-ID however often it is tried.

    ``maybe_twice``: a former attempt ended after the server may have taken it. Only the system
    role sees this table: its texts hold codes and links that open doors.
    """

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+")
    to = models.EmailField(max_length=254)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()
    message_id = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=8, default=MailState.QUEUED)
    queued_at = models.DateTimeField()
    next_at = models.DateTimeField(help_text="Not tried before.")
    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.CharField(max_length=24, blank=True, help_text="Who sends it now.")
    lease_until = models.DateTimeField(null=True)
    maybe_twice = models.BooleanField(default=False)
    fault = models.CharField(max_length=200, blank=True, help_text="Of the last attempt.")
    sent_at = models.DateTimeField(null=True)
    emptied_at = models.DateTimeField(null=True, help_text="When its texts were forgotten.")

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=MailState.values), name="mail_state"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], condition=models.Q(state="queued"), name="mail_due"),
            models.Index(
                fields=["lease_until"], condition=models.Q(state="sending"), name="mail_leased"
            ),
            models.Index(
                fields=["queued_at"], condition=models.Q(emptied_at=None), name="mail_with_text"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"
