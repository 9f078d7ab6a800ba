"""Rows of rollouts; of the application's other models they know only the names."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Strategy(models.TextChoices):
    """How the new form takes the place of the old one: ``deployments.strategies``."""

    ROLLING = "rolling"
    BLUE_GREEN = "blue_green"
    CANARY = "canary"


class RolloutState(models.TextChoices):
    RUNNING = "running"
    BACK = "back"  # on its way back to the old form
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    ABANDONED = "abandoned"  # the endpoint was paused or stopped meanwhile


ROLLOUT_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("running", "back"),
        ("running", "done"),
        ("running", "abandoned"),
        ("back", "rolled_back"),
        ("back", "abandoned"),
    }
)


class Rollout(models.Model):
    """One form of an endpoint takes the place of another: ``deployments.rollouts``."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    endpoint = models.ForeignKey("deployments.Endpoint", models.PROTECT, related_name="rollouts")
    order = models.ForeignKey("deployments.Order", models.PROTECT, related_name="rollouts")
    from_revision = models.ForeignKey("deployments.Revision", models.PROTECT, related_name="+")
    to_revision = models.ForeignKey("deployments.Revision", models.PROTECT, related_name="+")
    state = models.CharField(max_length=16, default=RolloutState.RUNNING)
    strategy = models.CharField(max_length=16, default=Strategy.ROLLING)
    stage = models.PositiveSmallIntegerField(default=0, help_text="How often traffic was shifted.")
    stage_since = models.DateTimeField(null=True, help_text="Null: since it started.")
    held = models.BooleanField(default=False, help_text="It stays at this stage, by hand.")
    hurried = models.BooleanField(default=False, help_text="This stage ends early, by hand.")
    because = models.CharField(max_length=200, blank=True)
    no_room_since = models.DateTimeField(null=True)
    seen = models.JSONField(default=dict, help_text="Answers of both forms, by the gateways.")
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=120)

    class Meta:
        ordering: ClassVar = ["-started_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="rollout_org_id"),
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(state__in=["running", "back"]),
                name="rollout_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state__in=RolloutState.values), name="rollout_state"
            ),
            models.CheckConstraint(
                condition=Q(strategy__in=Strategy.values), name="rollout_strategy"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class RolloutStep(models.Model):
    """What a rollout did, and why. ``kind``: of ``rollouts.Step``, or ``begin``, ``abandon``."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    rollout = models.ForeignKey(Rollout, models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=16)
    site = models.CharField(max_length=24, blank=True, help_text="Code.")
    because = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.rollout_id} {self.kind}"
