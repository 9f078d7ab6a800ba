"""What people are told, and how each of them wants to be told."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.keys import ApiKey
from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User
from tenants.notice_kinds import KINDS, Kind


class Language(models.TextChoices):
    KOREAN = "ko", _("Korean")
    ENGLISH = "en", _("English")


class Notice(models.Model):
    """One thing that one person is told. ``tenants.notices`` writes them.

    Without an organization it concerns the person: their account, their sign-in.
    """

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40)
    words = models.JSONField(default=dict, help_text="What the sentence of the kind names.")
    place = models.CharField(max_length=200, blank=True, help_text="Where it leads: a path.")
    project = models.CharField(max_length=24, blank=True, help_text="Public id of the project.")
    mail = models.CharField(max_length=8, default="never", help_text="now, later, digest, never")
    mailed_at = models.DateTimeField(null=True, help_text="When the mail that has it was queued.")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["user", "-at"], name="notice_user_time"),
            models.Index(
                fields=["user", "organization"],
                condition=models.Q(read_at=None),
                name="notice_unread",
            ),
            models.Index(
                fields=["user", "at"],
                condition=models.Q(mail="digest", mailed_at=None),
                name="notice_for_digest",
            ),
        ]

    def __str__(self) -> str:
        return self.kind

    @property
    def known(self) -> Kind | None:
        """Its kind; ``None`` for a kind that the table has no more."""
        return KINDS.get(self.kind)

    @property
    def title(self) -> str:
        """One line, in the reader's language."""
        return self.known.said(self.known.title, self.words) if self.known else self.kind

    @property
    def body(self) -> str:
        return self.known.said(self.known.body, self.words) if self.known else ""


class NoticePreference(models.Model):
    """How one person wants to be told. Who never chose has no row, and the defaults."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="notice_preference"
    )
    language = models.CharField(max_length=2, default=Language.KOREAN)
    mail = models.JSONField(default=dict, help_text="Group of kinds → now, digest or off.")
    quiet_from = models.PositiveSmallIntegerField(null=True, help_text="Hour in Korea.")
    quiet_until = models.PositiveSmallIntegerField(null=True, help_text="Hour in Korea.")
    digest_hour = models.PositiveSmallIntegerField(default=9, help_text="Hour in Korea.")
    digested_date = models.DateField(null=True, help_text="Business day of the last digest.")
    muted_projects = ArrayField(models.CharField(max_length=24), default=list)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(language__in=Language.values), name="notice_language"
            ),
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_until=None)
                | models.Q(quiet_from__lt=24, quiet_until__lt=24)
                & ~models.Q(quiet_from=models.F("quiet_until")),
                name="notice_quiet_hours",
            ),
            models.CheckConstraint(
                condition=models.Q(digest_hour__lt=24), name="notice_digest_hour"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.language}"


class KeyAnnouncement(models.Model):
    """That something was announced about a key; the row that makes it once."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="+")
    what = models.CharField(max_length=12)  # "14 days", "3 days", "unused"
    about = models.DateTimeField(help_text="The end that was announced; else when it was made.")
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "what", "about"], name="key_announced_once"),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} {self.what}"
