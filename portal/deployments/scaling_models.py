"""Rows of opening hours and of scaling; of the application's other models they know only names."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from portal.deployments import scaling
from portal.deployments.scaling import Memory


class Scaling(models.Model):
    """How the number of an endpoint's replicas follows what is asked: ``deployments.scaling``.

    The least stands in the newest revision beside the most (its replicas), for they are the form
    that is priced; here is how it is done, and what one look leaves for the next.
    """

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    endpoint = models.OneToOneField(
        "deployments.Endpoint", models.PROTECT, related_name="scaling", primary_key=True
    )
    per_replica = models.PositiveSmallIntegerField(default=0, help_text="0: by its offering.")
    up_seconds = models.PositiveIntegerField(default=10)
    down_seconds = models.PositiveIntegerField(default=300)
    idle_seconds = models.PositiveIntegerField(default=900)
    fixed = models.PositiveSmallIntegerField(null=True, help_text="By hand, until ``fixed_until``.")
    fixed_until = models.DateTimeField(null=True)
    used_at = models.DateTimeField()
    up_at = models.DateTimeField(null=True)
    below_since = models.DateTimeField(null=True)
    below_most = models.PositiveSmallIntegerField(default=0)
    no_room_since = models.DateTimeField(null=True)
    ready_seconds = models.PositiveIntegerField(
        default=0, help_text="From asked for to ready, as measured last; 0: not yet."
    )

    def __str__(self) -> str:
        return f"scaling of {self.endpoint_id}"

    @property
    def memory(self) -> Memory:
        return Memory(self.used_at, self.up_at, self.below_since, self.below_most)

    def per(self, parallel: int) -> int:
        """Requests that one replica is to have in flight."""
        return self.per_replica or scaling.per_replica(parallel)


class ScaleStep(models.Model):
    """What was done to the number of replicas, and why. ``because``: of ``scaling.Because``, or
    ``opened``, ``closed``, ``no_money``, ``no_room``."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    endpoint = models.ForeignKey("deployments.Endpoint", models.PROTECT, related_name="scale_steps")
    before = models.PositiveSmallIntegerField()
    after = models.PositiveSmallIntegerField()
    because = models.CharField(max_length=16)
    count = models.PositiveIntegerField(default=0, help_text="Requests that go with it.")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"


class Schedule(models.Model):
    """Opening hours. ``state`` is what they did last: whoever pauses or resumes by hand after it
    stays in the right until ``changes_at``."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    endpoint = models.OneToOneField(
        "deployments.Endpoint", models.PROTECT, related_name="schedule", primary_key=True
    )
    hours = models.JSONField(help_text="As ``schedules.read`` takes it.")
    state = models.CharField(max_length=8)
    changes_at = models.DateTimeField(null=True, db_index=True, help_text="Empty: never.")
    trouble = models.CharField(max_length=16, blank=True, help_text="no_money or no_room.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["open", "closed"]), name="schedule_state"
            ),
        ]

    def __str__(self) -> str:
        return f"schedule of {self.endpoint_id}: {self.state}"
