"""A project's own names for models."""

from __future__ import annotations

from typing import Any

from portal.deployments.actions import aliases
from portal.lib import ids
from tenants import rls
from tenants.models import ModelAlias
from tests.factories import CHAT, EMBEDDING, NOON
from tests.web.conftest import World
from tests.web.rows.row import Row, project_id


def an_alias(world: World) -> ModelAlias:
    """The first that is there, or a new one: a walk finds the one that stood before it."""
    with rls.tenant(world.cast.firm.pk):
        found = ModelAlias.objects.filter(project=world.cast.project).order_by("pk").first()
        return found or aliases.create(
            project=world.cast.project,
            name=ids.mint("a").replace("_", "-"),
            target=CHAT,
            by=world.cast.bob.may,
            now=NOON,
        )


def alias_id(world: World) -> dict[str, Any]:
    return {"public_id": an_alias(world).public_id}


def a_name(world: World) -> dict[str, Any]:
    return {"name": ids.mint("n").replace("_", "-"), "target": CHAT}


def another_target(world: World) -> dict[str, Any]:
    return {"target": EMBEDDING}


ANSWERS = "sign-in found-one away away 403 403 404 404"
ROWS = [
    Row("alias_new", "POST", ANSWERS, project_id, a_name),
    Row("alias_change", "POST", ANSWERS, alias_id, another_target),
    Row("alias_delete", "POST", ANSWERS, alias_id),
]
