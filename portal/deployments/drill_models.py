"""Rows of booked drills; of the application's other models they know only the names."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.actors import Actor


class DrillState(models.TextChoices):
    BOOKED = "booked"
    RUNNING = "running"  # the site is left out of the endpoint's routes
    ENDED = "ended"
    CALLED_OFF = "called_off"  # a check spoke against it when its time had come
    CANCELLED = "cancelled"  # by who booked it, before it began


DRILL_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("booked", "running"),
        ("booked", "called_off"),
        ("booked", "cancelled"),
        ("running", "ended"),
    }
)
OPEN = (DrillState.BOOKED, DrillState.RUNNING)


class DrillQuerySet(models.QuerySet["Drill"]):
    def visible_to(self, actor: Actor) -> DrillQuerySet:
        """Of the actor's organization, in the projects that the actor may see."""
        rows = self.filter(organization=actor.organization)
        if actor.projects is not None:
            rows = rows.filter(endpoint__project__public_id__in=actor.projects)
        return rows

    def at(self, now: datetime) -> DrillQuerySet:
        """Those in which a site is withdrawn at a moment: their end needs nobody to end them."""
        return self.filter(state=DrillState.RUNNING, ends_at__gt=now)


class Drill(models.Model):
    """One site is withdrawn from one endpoint for a window: ``deployments.drilling``."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    endpoint = models.ForeignKey("deployments.Endpoint", models.PROTECT, related_name="drills")
    site = models.ForeignKey("fleet.Site", models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=16, default=DrillState.BOOKED)
    because = models.CharField(max_length=200, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    jws = models.TextField(blank=True, help_text="The signed report, once it is known.")
    booked_at = models.DateTimeField()
    booked_by = models.CharField(max_length=120)

    objects = DrillQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-starts_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="drill_org_id"),
            models.CheckConstraint(condition=Q(state__in=DrillState.values), name="drill_state"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="drill_forward"),
            ExclusionConstraint(
                name="drill_one_at_a_time",
                condition=Q(state__in=["booked", "running"]),
                expressions=[
                    ("endpoint", RangeOperators.EQUAL),
                    (
                        Func(
                            "starts_at",
                            "ends_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class DrillMove(models.Model):
    """Why a drill changed its state."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    drill = models.ForeignKey(Drill, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"
