"""A project's own names for models: ``gpt-4o-mini`` for a model that this network has.

A name that is real (a model of the catalogue, an endpoint) always means itself. A name that is
real already is refused here; one that becomes real later hides the alias, and its page says so.
"""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.catalog.models import CatalogModel
from portal.deployments.models import Endpoint
from portal.lib import ids
from tenants import audit, quotas
from tenants.actions.projects import ProjectEnded
from tenants.actors import Actor
from tenants.models import ModelAlias, Project

# What clients send as a model: gpt-4o-mini, ft:gpt-4o:acme::7p4l, meta-llama/Llama-3.1-8B.
_SHAPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,62}[A-Za-z0-9])?")
_ENDPOINT_ID = "ep_"


class BadAlias(Exception):
    def __str__(self) -> str:
        return _(
            "A name has 1 to 64 letters, digits and . _ : / - and begins and ends with a letter "
            "or digit."
        )


class NameIsReal(Exception):
    """It would mean two things."""

    def __str__(self) -> str:
        return _("A model or an endpoint has this name already. Choose a different one.")


class AliasTaken(Exception):
    def __str__(self) -> str:
        return _("The project has this name already. Change what it means instead.")


class UnknownTarget(Exception):
    def __str__(self) -> str:
        return _("Choose a model of the catalogue, or a running endpoint of this project.")


class TooManyAliases(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("A project may have %(most)d names of its own. Delete one first.") % {
            "most": self.most
        }


def targets(project: Project) -> list[str]:
    """What a name of the project may stand for: the catalogue, then its running endpoints."""
    own = Endpoint.objects.filter(project=project, stopped_at=None).order_by("name")
    models = CatalogModel.objects.order_by("slug").values_list("slug", flat=True)
    return [*models, *own.values_list("name", flat=True)]


def real_names(project: Project) -> set[str]:
    """Names that mean themselves, in lower case: no alias is heard under them."""
    own = Endpoint.objects.filter(organization=project.organization_id, stopped_at=None)
    models = CatalogModel.objects.values_list("slug", flat=True)
    return {name.lower() for name in (*models, *own.values_list("name", flat=True))}


@transaction.atomic
def create(*, project: Project, name: str, target: str, by: Actor, now: datetime) -> ModelAlias:
    """Give a model a name. ``BadAlias``, ``NameIsReal``, ``AliasTaken``, ``UnknownTarget``,
    ``TooManyAliases``, ``ProjectEnded``."""
    by.require("endpoints.change")
    project = _locked(project, by)
    name = name.strip()
    if not _SHAPE.fullmatch(name):
        raise BadAlias
    if name.lower().startswith(_ENDPOINT_ID) or name.lower() in real_names(project):
        raise NameIsReal
    if ModelAlias.objects.filter(project=project, name__iexact=name).exists():
        raise AliasTaken
    _require_target(project, target)
    most = quotas.most(by.organization, "aliases")
    if ModelAlias.objects.filter(project=project).count() >= most:
        raise TooManyAliases(most)
    alias = ModelAlias.objects.create(
        public_id=ids.mint("als"),
        organization=by.organization,
        project=project,
        name=name,
        target=target,
        created_at=now,
    )
    changes = {"project": project.public_id, "name": name, "target": target}
    audit.record("alias.create", by=by, now=now, subject=alias.public_id, changes=changes)
    return alias


@transaction.atomic
def change(*, alias: ModelAlias, target: str, by: Actor, now: datetime) -> ModelAlias:
    """Let the name stand for another model, without a moment in which it stands for none.
    ``UnknownTarget``, ``ProjectEnded``."""
    by.require("endpoints.change")
    project = _locked(alias.project, by)
    alias = ModelAlias.objects.visible_to(by).select_for_update().get(pk=alias.pk)
    _require_target(project, target)
    before, alias.target = alias.target, target
    if before != target:
        alias.save(update_fields=["target"])
        changes = {
            "project": project.public_id,
            "name": alias.name,
            "target": {"from": before, "to": target},
        }
        audit.record("alias.change", by=by, now=now, subject=alias.public_id, changes=changes)
    return alias


@transaction.atomic
def delete(*, alias: ModelAlias, by: Actor, now: datetime) -> None:
    """Forget the name: programs that call it are told that there is no such model."""
    by.require("endpoints.change")
    found = ModelAlias.objects.visible_to(by).select_for_update().filter(pk=alias.pk)
    if not found.delete()[0]:
        return  # somebody else was faster
    changes = {"project": alias.project.public_id, "name": alias.name, "target": alias.target}
    audit.record("alias.delete", by=by, now=now, subject=alias.public_id, changes=changes)


def _locked(project: Project, by: Actor) -> Project:
    project = Project.objects.visible_to(by).select_for_update().get(pk=project.pk)
    if project.archived_at is not None:
        raise ProjectEnded
    return project


def _require_target(project: Project, target: str) -> None:
    if target not in targets(project):
        raise UnknownTarget
