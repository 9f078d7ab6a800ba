"""What a row is, and the words that rows share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.lib import ids
from tests.factories import CHAT
from tests.web.conftest import World

WITHOUT = ("anonymous", "nobody", "dead-key")  # 401 everywhere, except for what is public
PEOPLE = ("alice", "bob", "carol", "dan", "mallory", "olivia")
CALLERS = (*WITHOUT, *PEOPLE, "key", "foreign-key")


@dataclass(frozen=True)
class Row:
    """``answers``: alice bob carol dan | mallory olivia | key foreign-key."""

    name: str
    method: str
    path: Callable[[World], str]
    answers: str
    body: Callable[[World], Any] = lambda world: None
    without: str = "401 401 401"  # those of WITHOUT


def at(text: str) -> Callable[[World], str]:
    return lambda world: text.format(
        endpoint=world.endpoint.public_id,
        shared=world.shared.public_id,
        key=world.key.public_id,
        project=world.cast.project.public_id,
        invoice=world.invoice.public_id,
        budget=world.budget.public_id,
        site=world.site.code,
        model=CHAT,
    )


def a_project(world: World) -> dict[str, Any]:
    return {"name": ids.mint("p")}


def a_key(world: World) -> dict[str, Any]:
    return {"name": "k", "project": world.cast.project.public_id}


def a_trial(world: World) -> dict[str, Any]:
    return {"model": CHAT}


def an_order(world: World) -> dict[str, Any]:
    return {"name": ids.mint("e"), "project": world.cast.project.public_id, "model": CHAT}


def a_limit(world: World) -> dict[str, Any]:
    return {"limit_won": 200_000_000}


ALL = "200 200 200 200 200 200 200 200"
