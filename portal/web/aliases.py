"""A project's own names for models: given, changed and deleted on the project's page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.deployments.actions import aliases as actions
from portal.web import doors, states
from tenants.actions.projects import ProjectEnded
from tenants.actors import Actor
from tenants.models import ModelAlias, Project

REFUSALS = (
    actions.BadAlias,
    actions.NameIsReal,
    actions.AliasTaken,
    actions.UnknownTarget,
    actions.TooManyAliases,
    ProjectEnded,
)


def context_of(project: Project, actor: Actor) -> dict[str, Any]:
    """What the project's page shows of its names; nothing to who may not see endpoints."""
    if not actor.can("endpoints.read"):
        return {}
    targets, real = actions.targets(project), actions.real_names(project)
    rows = ModelAlias.objects.visible_to(actor).filter(project=project)
    return {
        "aliases": [(one, _state(one, targets, real)) for one in rows],
        "targets": targets,
        "alias_change": actor.can("endpoints.change") and project.archived_at is None,
    }


def _state(alias: ModelAlias, targets: list[str], real: set[str]) -> states.State:
    if alias.name.lower() in real:
        return states.ALIAS["hidden"]
    return states.ALIAS["known" if alias.target in targets else "lost"]


def _find(request: HttpRequest, public_id: str) -> ModelAlias:
    rows = ModelAlias.objects.visible_to(doors.actor(request)).select_related("project")
    return get_object_or_404(rows, public_id=public_id)


@require_POST
@doors.page_for("endpoints.change")
def new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a model a name in this project."""
    actor = doors.actor(request)
    project = get_object_or_404(Project.objects.visible_to(actor), public_id=public_id)
    name, target = doors.word(request.POST, "name"), doors.word(request.POST, "target")
    try:
        alias = actions.create(
            project=project, name=name, target=target, by=actor, now=timezone.now()
        )
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        told = _("“%(name)s” now stands for %(target)s. The gateway knows within a second.")
        messages.success(request, told % {"name": alias.name, "target": target})
    return redirect("project", public_id=public_id)


@require_POST
@doors.page_for("endpoints.change")
def change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Let it stand for another model."""
    alias, target = _find(request, public_id), doors.word(request.POST, "target")
    try:
        actions.change(alias=alias, target=target, by=doors.actor(request), now=timezone.now())
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        told = _("“%(name)s” now stands for %(target)s. The gateway knows within a second.")
        messages.success(request, told % {"name": alias.name, "target": target})
    return redirect("project", public_id=alias.project.public_id)


@require_POST
@doors.page_for("endpoints.change")
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Forget it."""
    alias = _find(request, public_id)
    actions.delete(alias=alias, by=doors.actor(request), now=timezone.now())
    messages.success(request, _("“%(name)s” is deleted.") % {"name": alias.name})
    return redirect("project", public_id=alias.project.public_id)
