"""Operations on one's own data, the end of accounts and of organizations."""

from __future__ import annotations

from tests.api.rows.row import Row, at

ROWS = [
    Row("api_exports", "GET", at("me/exports"), "200 200 200 200 200 200 403 403"),
    Row("api_exports", "POST", at("me/exports"), "202 202 202 202 202 202 403 403"),
    Row("api_export", "GET", at("me/exports/exp_x"), "404 404 404 404 404 404 403 403"),
    Row("api_deletion", "GET", at("me/deletion"), "204 204 204 204 204 204 403 403"),
    # a session that was not confirmed lately
    Row("api_deletion", "POST", at("me/deletion"), "403 403 403 403 403 403 403 403"),
    Row("api_deletion", "DELETE", at("me/deletion"), "204 204 204 204 204 204 403 403"),
    Row("api_closing", "GET", at("organization/closing"), "200 200 200 200 200 200 200 200"),
    # mallory and olivia type another organization's name
    Row(
        "api_closing",
        "POST",
        at("organization/closing"),
        "202 403 403 403 422 422 403 403",
        lambda world: {"typed_name": world.cast.firm.name},
    ),
    Row(
        "api_closing",
        "DELETE",
        at("organization/closing"),
        "200 403 403 403 200 200 403 403",
    ),
]
