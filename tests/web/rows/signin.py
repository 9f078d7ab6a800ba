"""One's own sign-in, the organization's rules, its provider and domains."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import World
from tests.web.rows.row import ANYBODY, Row

ANYONE = "sign-in 200 200 200 200 200 200 200"
OWNERS = "sign-in found-one 200 403 403 403 200 200"
DEEDS = "sign-in found-one away 403 403 403 away away"


def a_policy(world: World) -> dict[str, Any]:
    return {"idle_minutes": "30"}


def a_bad_provider(world: World) -> dict[str, Any]:
    return {"issuer": "http://10.0.0.1/", "client_id": "x", "secret": "y"}


def a_domain(world: World) -> dict[str, Any]:
    return {"domain": "hanbit.example"}


def unknown_domain(world: World) -> dict[str, Any]:
    return {"public_id": "dom_unknown"}


def an_address(world: World) -> dict[str, Any]:
    return {"email": "somebody@nowhere.example"}


ROWS = [
    Row("security", "GET", ANYONE),
    Row("qr_code", "GET", "sign-in 404 404 404 404 404 404 404"),
    Row("session", "GET", ANYONE),
    Row("session", "POST", ANYONE),
    Row("unmet", "GET", "sign-in away away away away away away away"),
    Row("policies", "GET", OWNERS),
    Row("policies", "POST", DEEDS, body=a_policy),
    Row("single_sign_on", "GET", OWNERS),
    Row(
        "single_sign_on",
        "POST",
        "sign-in found-one 422 403 403 403 422 422",
        body=a_bad_provider,
    ),
    Row("single_sign_on_forget", "POST", DEEDS),
    Row("domain_claim", "POST", DEEDS, body=a_domain),
    Row("domain_prove", "POST", "sign-in found-one 404 403 403 403 404 404", unknown_domain),
    Row("domain_drop", "POST", "sign-in found-one 404 403 403 403 404 404", unknown_domain),
    Row("sso", "GET", ANYBODY),
    Row("sso", "POST", "422 422 422 422 422 422 422 422", body=an_address),
    Row("sso_callback", "GET", "403 403 403 403 403 403 403 403"),
]
