"""One's own sign-in, the organization's rules, its provider and domains."""

from __future__ import annotations

from tests.api.rows.row import ALL, Row, at

PERSON = "200 200 200 200 200 200 403 403"
OWNERS = "200 403 403 403 200 200 403 403"
NOT_THERE = "404 403 403 403 404 404 403 403"

ROWS = [
    Row("api_account", "GET", at("account"), PERSON),
    Row("api_account_sessions", "DELETE", at("account/sessions"), PERSON.replace("200", "204")),
    Row("api_policies", "GET", at("policies"), ALL),
    Row("api_policies", "PATCH", at("policies"), OWNERS, lambda world: {"idle_minutes": 30}),
    Row("api_single_sign_on", "GET", at("single-sign-on"), NOT_THERE),
    Row(
        "api_single_sign_on",
        "PUT",
        at("single-sign-on"),
        "422 403 403 403 422 422 403 403",
        lambda world: {"issuer": "http://10.0.0.1/", "client_id": "x", "secret": "y"},
    ),
    Row(
        "api_single_sign_on",
        "DELETE",
        at("single-sign-on"),
        "204 403 403 403 204 204 403 403",
    ),
    Row("api_domains", "GET", at("domains"), OWNERS),
    Row(
        "api_domains",
        "POST",
        at("domains"),
        "201 403 403 403 201 201 403 403",
        lambda world: {"domain": "hanbit.example"},
    ),
    Row("api_domain", "DELETE", at("domains/dom_unknown"), NOT_THERE),
    Row("api_domain_prove", "POST", at("domains/dom_unknown/prove"), NOT_THERE),
]
