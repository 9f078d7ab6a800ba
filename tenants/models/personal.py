"""What a person asks for about themselves: a copy of their data, the end of their account.

Both stand behind a wall of their own: the database lets through what belongs to ``app.user``.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models

from tenants.models.people import User

MOST_ATTEMPTS = 5  # of making one copy


class PersonalExport(models.Model):
    """A ZIP file of what is kept about one person. A worker makes it; it is gone after 7 days."""

    public_id = models.CharField(max_length=24, unique=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="exports")
    language = models.CharField(max_length=8)
    asked_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    size = models.PositiveIntegerField(default=0, help_text="Bytes.")
    content = models.BinaryField(default=b"")

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(made_at=None), name="export_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return self.public_id

    def state_at(self, now: datetime) -> str:
        """``waiting``, ``failed``, ``ready`` or ``expired``."""
        if self.made_at is None or self.expires_at is None:
            return "waiting" if self.attempts < MOST_ATTEMPTS else "failed"
        return "ready" if now < self.expires_at else "expired"


class AccountDeletion(models.Model):
    """The wish to end an account: due after a while, undone or done."""

    public_id = models.CharField(max_length=24, unique=True)
    user = models.ForeignKey(User, models.PROTECT, related_name="deletions")
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    held_at = models.DateTimeField(
        null=True, help_text="Due, but the person is the last owner of an organization."
    )
    undone_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(undone_at=None, done_at=None),
                name="deletion_once",
            )
        ]

    def __str__(self) -> str:
        return self.public_id
