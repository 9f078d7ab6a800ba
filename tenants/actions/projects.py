"""Projects: part of an organization with its own keys, budget and data class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit, names, quotas
from tenants.actors import Actor
from tenants.models import NEVER_KEPT, DataClass, Project


class ProjectNameTaken(Exception):
    def __str__(self) -> str:
        return _("Another project has this name. Choose a different one.")


class TooManyProjects(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("The organization may have %(most)d projects in use. Archive one first.") % {
            "most": self.most
        }


class UnknownDataClass(Exception):
    def __str__(self) -> str:
        return _("Choose open, sensitive, confidential or medical.")


class ReplayForbidden(Exception):
    """Nothing of these classes is kept, not even sealed and for minutes."""

    def __str__(self) -> str:
        return _(
            "Answers with confidential or medical data are never kept. Leave keeping them off, or "
            "choose another data class."
        )


class ProjectEnded(Exception):
    def __str__(self) -> str:
        return _("This project is archived. Restore it first.")


def _check(name: str, data_class: str, by: Actor, besides: Project | None = None) -> str:
    """The name in normal form, if it is free."""
    name = names.normalized(name, longest=60)
    if data_class not in DataClass.values:
        raise UnknownDataClass
    others = Project.objects.filter(organization=by.organization, name=name, archived_at=None)
    if besides is not None:
        others = others.exclude(pk=besides.pk)
    if others.exists():
        raise ProjectNameTaken
    return name


def _refuse_replay(replay: bool, data_class: str) -> None:
    if replay and data_class in NEVER_KEPT:
        raise ReplayForbidden


def _refuse_too_many(by: Actor) -> None:
    most = quotas.most(by.organization, "projects")
    if Project.objects.visible_to(by).filter(archived_at=None).count() >= most:
        raise TooManyProjects(most)


@transaction.atomic
def create(
    *,
    name: str,
    data_class: str,
    cost_centre: str = "",
    regions: Sequence[str] = (),
    replay: bool = False,
    by: Actor,
    now: datetime,
) -> Project:
    """A new project. ``BadName``, ``ProjectNameTaken``, ``UnknownDataClass``,
    ``ReplayForbidden``. The door has checked the regions; an unknown one allows nothing."""
    by.require("projects.change")
    name = _check(name, data_class, by)
    _refuse_replay(replay, data_class)
    _refuse_too_many(by)
    project = Project.objects.create(
        public_id=ids.mint("prj"),
        organization=by.organization,
        name=name,
        cost_centre=cost_centre[:40],
        data_class=data_class,
        regions=list(regions),
        replay=replay,
        created_at=now,
    )
    audit.record(
        "project.create",
        by=by,
        now=now,
        subject=project.public_id,
        changes={
            "name": name,
            "data_class": data_class,
            "regions": list(regions),
            "replay": replay,
        },
    )
    return project


@dataclass(frozen=True, slots=True)
class ProjectWish:
    """How a project shall be. No regions: any."""

    name: str
    data_class: str
    cost_centre: str = ""
    regions: Sequence[str] = ()
    replay: bool = False


def wish_of(project: Project) -> ProjectWish:
    """The project as it is, to be changed in part."""
    return ProjectWish(
        name=project.name,
        data_class=project.data_class,
        cost_centre=project.cost_centre,
        regions=project.regions,
        replay=project.replay,
    )


@transaction.atomic
def change(*, project: Project, wish: ProjectWish, by: Actor, now: datetime) -> Project:
    """Another name, cost centre, data class, regions, or whether answers are kept for repetitions;
    the gateway knows within a second. ``ReplayForbidden``."""
    by.require("projects.change")
    project = _locked(project, by)
    if project.archived_at is not None:
        raise ProjectEnded
    after = {
        "name": _check(wish.name, wish.data_class, by, besides=project),
        "data_class": wish.data_class,
        "cost_centre": wish.cost_centre[:40],
        "regions": list(wish.regions),
        "replay": wish.replay,
    }
    _refuse_replay(wish.replay, wish.data_class)
    changes = {
        name: {"from": getattr(project, name), "to": value}
        for name, value in after.items()
        if getattr(project, name) != value
    }
    if changes:
        for name, value in after.items():
            setattr(project, name, value)
        project.save(update_fields=list(after))
        audit.record("project.change", by=by, now=now, subject=project.public_id, changes=changes)
    return project


@transaction.atomic
def archive(*, project: Project, by: Actor, now: datetime) -> Project:
    """Put a project away: its keys end, what it cost stays. Repeating it changes nothing."""
    by.require("projects.change")
    project = _locked(project, by)
    if project.archived_at is None:
        project.archived_at = now
        project.save(update_fields=["archived_at"])
        audit.record("project.archive", by=by, now=now, subject=project.public_id)
    return project


@transaction.atomic
def restore(*, project: Project, by: Actor, now: datetime) -> Project:
    """Take it back, with the keys that were live. ``ProjectNameTaken`` meanwhile."""
    by.require("projects.change")
    project = _locked(project, by)
    if project.archived_at is not None:
        _check(project.name, project.data_class, by, besides=project)
        _refuse_too_many(by)
        project.archived_at = None
        project.save(update_fields=["archived_at"])
        audit.record("project.restore", by=by, now=now, subject=project.public_id)
    return project


def _locked(project: Project, by: Actor) -> Project:
    return Project.objects.visible_to(by).select_for_update().get(pk=project.pk)
