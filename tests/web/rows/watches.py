"""Wishes that wait for room."""

from __future__ import annotations

from typing import Any

from portal.deployments.actions import watches
from portal.deployments.models import CapacityWatch
from portal.deployments.quoting import Wish
from tenants import rls
from tests.factories import CHAT, NOON
from tests.web.conftest import World
from tests.web.rows.row import Row


def a_watch(world: World) -> CapacityWatch:
    """There is no such chip at any site yet."""
    with rls.tenant(world.cast.firm.pk):
        return watches.watch(
            wish=Wish("–", CHAT, "", 1, chip="atom-max"),
            project=world.cast.project,
            by=world.cast.bob.may,
            now=NOON,
        )


def watch_id(world: World) -> dict[str, Any]:
    return {"public_id": a_watch(world).public_id}


def a_wish(world: World) -> dict[str, Any]:
    return {"project": world.cast.project.public_id, "model": CHAT, "chip": "atom-plus"}


ROWS = [
    Row("endpoint_watch", "POST", "sign-in found-one away away 403 403 404 404", body=a_wish),
    Row("endpoint_give_up", "POST", "sign-in found-one away away 403 403 404 404", watch_id),
]
