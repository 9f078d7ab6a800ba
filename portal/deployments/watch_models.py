"""Wishes that wait for room at a site."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models

from portal.catalog.models import CatalogModel, OwnModel

if TYPE_CHECKING:
    from tenants.actors import Actor


class CapacityWatchQuerySet(models.QuerySet["CapacityWatch"]):
    def visible_to(self, actor: Actor) -> CapacityWatchQuerySet:
        """Of the actor's organization, in the projects that the actor may see."""
        rows = self.filter(organization=actor.organization)
        if actor.projects is not None:
            rows = rows.filter(project__public_id__in=actor.projects)
        return rows


class CapacityWatch(models.Model):
    """A wish that found no room: whoever may order is told once, as soon as it does."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.ForeignKey("tenants.Project", models.PROTECT, related_name="+")
    model = models.ForeignKey(CatalogModel, models.PROTECT, related_name="+")
    own_model = models.ForeignKey(OwnModel, models.PROTECT, related_name="+", null=True)
    region = models.CharField(max_length=24, blank=True)
    replicas = models.PositiveSmallIntegerField()
    chip = models.CharField(max_length=24, blank=True)
    apart = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    until = models.DateTimeField()

    objects = CapacityWatchQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "model", "own_model", "region", "replicas", "chip", "apart"],
                nulls_distinct=False,
                name="capacity_watch_once",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def runs(self) -> str:
        """The name of its model, as ``Endpoint.runs``."""
        return str((self.own_model or self.model).title)
