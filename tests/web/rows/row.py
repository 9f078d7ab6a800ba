"""What a row is, and the words that rows share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.lib import ids
from tests.factories import CHAT
from tests.web.conftest import World

PEOPLE = ("anonymous", "nobody", "alice", "bob", "carol", "dan", "mallory", "olivia")

# Answers in the order of PEOPLE. "sign-in" and "found-one" are where doors.page_for sends those
# without a session and without an organization; "away" is any other redirect after a deed.
ANYBODY = "200 200 200 200 200 200 200 200"
MEMBERS = "sign-in found-one 200 200 200 200 200 200"

Words = Callable[[World], dict[str, Any]]


def nothing(world: World) -> dict[str, Any]:
    return {}


def endpoint_id(world: World) -> dict[str, Any]:
    return {"public_id": world.endpoint.public_id}


def shared_id(world: World) -> dict[str, Any]:
    return {"public_id": world.shared.public_id}


def key_id(world: World) -> dict[str, Any]:
    return {"public_id": world.key.public_id}


def invoice_id(world: World) -> dict[str, Any]:
    return {"public_id": world.invoice.public_id}


def a_model(world: World) -> dict[str, Any]:
    return {"slug": CHAT}


def a_site(world: World) -> dict[str, Any]:
    return {"code": world.site.code}


def own_firm(world: World) -> dict[str, Any]:
    return {"organization": world.cast.firm.public_id}


def a_limit(world: World) -> dict[str, Any]:
    return {"limit_won": "200000000", "because": "더 많이"}


def a_key(world: World) -> dict[str, Any]:
    return {
        "name": "새 키",
        "project": world.cast.project.public_id,
        "mode": "live",
        "scopes": ["inference"],
        "rpm_limit": "60",
        "concurrency_limit": "16",
    }


def a_change(world: World) -> dict[str, Any]:
    return {
        "name": "anders",
        "scopes": ["inference"],
        "rpm_limit": "5",
        "concurrency_limit": "1",
    }


def an_overlap(world: World) -> dict[str, Any]:
    return {"overlap": "3600"}


def a_trial(world: World) -> dict[str, Any]:
    return {"model": CHAT}


def project_id(world: World) -> dict[str, Any]:
    return {"public_id": world.cast.project.public_id}


def a_project(world: World) -> dict[str, Any]:
    return {"name": ids.mint("p"), "data_class": "open"}


def a_region(world: World) -> dict[str, Any]:
    return {"region": "daegu"}


def an_order(world: World) -> dict[str, Any]:
    return {
        "name": f"주문-{ids.mint('x')}",
        "project": world.cast.project.public_id,
        "model": CHAT,
        "region": "daegu",
        "replicas": "1",
        "idempotency_key": ids.mint("idem"),
    }


@dataclass(frozen=True)
class Row:
    name: str
    method: str
    answers: str
    arguments: Words = nothing
    body: Words = nothing
