"""Pages about one's own data, the end of accounts and of organizations."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import World
from tests.web.rows.row import ANYBODY, MEMBERS, Row

EVERYBODY = "sign-in 200 200 200 200 200 200 200"
DEED = "sign-in away away away away away away away"


def no_export(world: World) -> dict[str, Any]:
    return {"public_id": "exp_0000000000000000"}


def a_closing(world: World) -> dict[str, Any]:
    return {"typed_name": world.cast.firm.name, "days": "7"}


ROWS = [
    Row("me", "GET", EVERYBODY),
    Row("me_export", "POST", DEED),
    Row("me_fetch", "GET", "sign-in 404 404 404 404 404 404 404", no_export),
    # to confirm first who one is
    Row("me_delete", "GET", DEED),
    Row("me_delete", "POST", DEED),
    Row("me_keep", "POST", DEED),
    Row("ai_notice", "GET", ANYBODY),
    Row("organization_close", "GET", MEMBERS),
    # mallory and olivia type another organization's name
    Row(
        "organization_close",
        "POST",
        "sign-in found-one away 403 403 403 422 422",
        body=a_closing,
    ),
    Row("organization_close_undo", "POST", "sign-in found-one away 403 403 403 away away"),
]
