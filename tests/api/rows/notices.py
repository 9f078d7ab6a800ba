"""Operations on one's own notices: people only, and each only their own."""

from __future__ import annotations

from tests.api.rows.row import Row
from tests.web.conftest import World
from tests.web.rows.notices import a_notice

PERSONS = "200 200 200 200 200 200 403 403"


def of_alice(world: World) -> str:
    return f"notices/{a_notice(world)['public_id']}/read"


ROWS = [
    Row("api_notices", "GET", lambda world: "notices", PERSONS),
    Row("api_notices_read", "POST", lambda world: "notices/read", PERSONS),
    Row("api_notice_preferences", "GET", lambda world: "notices/preferences", PERSONS),
    Row(
        "api_notice_preferences",
        "PATCH",
        lambda world: "notices/preferences",
        PERSONS,
        lambda world: {"mail": {"keys": "digest"}},
    ),
    Row("api_notice_read", "POST", of_alice, "204 404 404 404 404 404 403 403"),
]
