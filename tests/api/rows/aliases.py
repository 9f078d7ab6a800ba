"""Operations on a project's own names for models."""

from __future__ import annotations

from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows.aliases import a_name, an_alias, another_target


def alias(world: World) -> str:
    return f"aliases/{an_alias(world).public_id}"


OF_PROJECT = at("projects/{project}/aliases")
ROWS = [
    Row("api_aliases", "GET", OF_PROJECT, "200 200 200 200 404 404 200 404"),
    Row("api_aliases", "POST", OF_PROJECT, "201 201 403 403 404 404 201 404", a_name),
    Row("api_alias", "GET", alias, "200 200 200 200 404 404 200 404"),
    Row("api_alias", "PATCH", alias, "200 200 403 403 404 404 200 404", another_target),
    Row("api_alias", "DELETE", alias, "204 204 403 403 404 404 204 404"),
]
