"""Projects: part of an organization with its own keys, budget and data class."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit, names
from tenants.actors import Actor
from tenants.models import DataClass, Project


class ProjectNameTaken(Exception):
    def __str__(self) -> str:
        return _("Another project has this name. Choose a different one.")


class UnknownDataClass(Exception):
    def __str__(self) -> str:
        return _("Choose open, sensitive, confidential or medical.")


@transaction.atomic
def create(
    *, name: str, data_class: str, cost_centre: str = "", by: Actor, now: datetime
) -> Project:
    """A new project. ``BadName``, ``ProjectNameTaken``, ``UnknownDataClass``."""
    by.require("projects.change")
    name = names.normalized(name, longest=60)
    if data_class not in DataClass.values:
        raise UnknownDataClass
    if Project.objects.visible_to(by).filter(name=name, archived_at=None).exists():
        raise ProjectNameTaken
    project = Project.objects.create(
        public_id=ids.mint("prj"),
        organization=by.organization,
        name=name,
        cost_centre=cost_centre[:40],
        data_class=data_class,
        created_at=now,
    )
    audit.record(
        "project.create",
        by=by,
        now=now,
        subject=project.public_id,
        changes={"name": name, "data_class": data_class},
    )
    return project
