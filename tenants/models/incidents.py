"""Incidents that the operator tells of. They belong to no organization: every signed-in person
reads them, and only platform work writes them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import get_language


def _spoken(korean: str, english: str) -> str:
    return english if (get_language() or "ko").startswith("en") else korean


class Incident(models.Model):
    """Something that is known not to work, from when, where, until when."""

    public_id = models.CharField(max_length=24, unique=True)
    title_ko = models.CharField(max_length=120)
    title_en = models.CharField(max_length=120)
    sites = ArrayField(
        models.CharField(max_length=32), default=list, help_text="Codes of sites; none: the portal."
    )
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-began_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(ended_at=None) | models.Q(ended_at__gte=models.F("began_at")),
                name="incident_ends_after_it_began",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def title(self) -> str:
        """In the reader's language."""
        return _spoken(self.title_ko, self.title_en)


class IncidentUpdate(models.Model):
    """What is known at a moment. Never changed: the next one corrects it."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="updates")
    text_ko = models.TextField(max_length=2000)
    text_en = models.TextField(max_length=2000)
    by = models.CharField(max_length=24, help_text="The public id of the person.")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.at}"

    @property
    def text(self) -> str:
        """In the reader's language."""
        return _spoken(self.text_ko, self.text_en)
