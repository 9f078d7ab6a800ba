"""Projects: what an organization divides its work, keys and money into."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants.models.organizations import Organization, TenantQuerySet


class DataClass(models.TextChoices):
    OPEN = "open", _("Open")
    SENSITIVE = "sensitive", _("Sensitive")
    CONFIDENTIAL = "confidential", _("Confidential")
    MEDICAL = "medical", _("Medical")


# Of these nothing is kept, not even sealed and for minutes: what was answered exists at the site,
# on the way, and with the client.
NEVER_KEPT = (DataClass.CONFIDENTIAL, DataClass.MEDICAL)


class ProjectQuerySet(TenantQuerySet["Project"]):
    project_path = "public_id"


class Project(models.Model):
    """Part of an organization with its own keys, endpoints, budget and data class."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="projects")
    name = models.CharField(max_length=60)
    cost_centre = models.CharField(max_length=40, blank=True)
    data_class = models.CharField(max_length=16, default=DataClass.OPEN)
    regions = ArrayField(
        models.CharField(max_length=24), default=list, help_text="Empty: any region."
    )
    replay = models.BooleanField(
        default=False, help_text="Answers to requests with an Idempotency-Key are kept, sealed."
    )
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="project_org_id"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=models.Q(archived_at=None),
                name="project_name_once",
            ),
            models.CheckConstraint(
                condition=models.Q(data_class__in=DataClass.values), name="project_data_class"
            ),
            models.CheckConstraint(
                condition=models.Q(replay=False) | ~models.Q(data_class__in=NEVER_KEPT),
                name="project_replay",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def data_class_label(self) -> str:
        return str(DataClass(self.data_class).label)


class AliasQuerySet(TenantQuerySet["ModelAlias"]):
    project_path = "project__public_id"


class ModelAlias(models.Model):
    """A project's own name for a model: ``target`` is what higher apps know it by."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, related_name="aliases")
    name = models.CharField(max_length=64)
    target = models.CharField(
        max_length=64, help_text="A model of the catalogue, or the name of an endpoint."
    )
    created_at = models.DateTimeField()

    objects = AliasQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            # Names that differ in capitals only would be taken for each other.
            models.UniqueConstraint(Lower("name"), "project", name="model_alias_once"),
        ]

    def __str__(self) -> str:
        return self.name
