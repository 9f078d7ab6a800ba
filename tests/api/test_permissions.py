"""Who may call which operation: one table. An operation that is missing here fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from portal.api.urls import documentation, urlpatterns
from portal.lib import ids
from tests.api.callers import caller, send
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
TABLE = [
    Row("api_organization", "GET", at("organization"), ALL),
    Row("api_projects", "GET", at("projects"), ALL),
    Row("api_projects", "POST", at("projects"), "201 403 403 403 201 201 403 403", a_project),
    Row("api_project", "GET", at("projects/{project}"), "200 200 200 200 404 404 200 404"),
    Row(
        "api_project",
        "PATCH",
        at("projects/{project}"),
        "200 403 403 403 404 404 403 403",
        lambda world: {"cost_centre": "A-7"},
    ),
    Row("api_keys", "GET", at("keys"), "200 200 403 200 200 200 200 200"),
    Row("api_keys", "POST", at("keys"), "201 201 403 403 422 422 403 403", a_key),
    Row("api_key", "GET", at("keys/{key}"), "200 200 403 200 404 404 200 404"),
    Row("api_models", "GET", at("models"), ALL),
    Row("api_model", "GET", at("models/{model}"), ALL),
    Row("api_sites", "GET", at("sites"), ALL),
    Row("api_site", "GET", at("sites/{site}"), ALL),
    Row("api_endpoints", "GET", at("endpoints"), ALL),
    Row("api_endpoints", "POST", at("endpoints"), "201 201 403 403 422 422 201 422", an_order),
    Row("api_endpoint", "GET", at("endpoints/{endpoint}"), "200 200 200 200 404 200 200 404"),
    Row("api_endpoint", "GET", at("endpoints/{shared}"), ALL),
    # the operator sees a customer's endpoint and may not stop it; nobody stops a shared one
    Row("api_endpoint", "DELETE", at("endpoints/{endpoint}"), "200 200 403 403 404 403 200 404"),
    Row("api_endpoint", "DELETE", at("endpoints/{shared}"), "403 403 403 403 403 200 403 403"),
    Row("api_orders", "GET", at("orders"), ALL),
    Row("api_usage", "GET", at("usage"), ALL),
    Row("api_budgets", "GET", at("budgets"), ALL),
    Row("api_budget", "PATCH", at("budgets/{budget}"), "200 403 200 403 404 404 403 403", a_limit),
    Row("api_invoices", "GET", at("invoices"), "200 403 200 200 200 200 200 200"),
    Row("api_invoice", "GET", at("invoices/{invoice}"), "200 403 200 200 404 404 200 404"),
    Row("api_invoice_pdf", "GET", at("invoices/{invoice}/pdf"), "200 403 200 200 404 404 200 404"),
    # one invoice takes all; those after it find nothing to bill
    Row("api_invoice_interim", "POST", at("invoices/interim"), "201 403 204 403 204 204 403 403"),
    Row(
        "api_key",
        "PATCH",
        at("keys/{key}"),
        "200 422 403 403 404 404 403 403",  # the key may read invoices, which bob may not
        lambda world: {"rpm_limit": 7},
    ),
    Row("api_key_test", "POST", at("keys/{key}/test"), "200 200 403 200 404 404 200 404", a_trial),
    Row(
        "api_key_rotate",
        "POST",
        at("keys/{key}/rotate"),
        "201 422 403 403 404 404 403 403",
        lambda world: {"overlap_seconds": 3600},
    ),
    Row("api_key", "DELETE", at("keys/{key}"), "204 204 403 403 404 404 401 403"),
    Row("api_schema", "GET", at("openapi.json"), ALL),
]
PUBLIC = {"api_schema", "api_docs"}


def test_has_a_row_for_every_operation() -> None:
    found = {
        (one.name, method.upper())
        for one in urlpatterns
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(getattr(one.callback, "view_class", one.callback), method)
        or hasattr(getattr(one.callback, "cls", None), method)
    }

    assert found == {(row.name, row.method) for row in TABLE}
    assert {one.name for one in documentation} <= PUBLIC


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method}-{row.name}")
def test_answers_each_caller_as_the_table_says(world: World, row: Row) -> None:
    found = {}
    for who in CALLERS:
        headers = {"Idempotency_Key": ids.mint("idem")} if row.name == "api_endpoints" else {}
        answer = send(caller(world, who), row.method, row.path(world), row.body(world), **headers)
        found[who] = str(answer.status_code)

    outside = "200" if row.name in PUBLIC else "401"
    expected = dict.fromkeys(WITHOUT, outside) | dict(
        zip(CALLERS[len(WITHOUT) :], row.answers.split(), strict=True)
    )
    assert found == expected


def test_shows_its_documentation_to_anybody(world: World) -> None:
    answer = Client().get("/api/docs/")

    assert answer.status_code == 200
    assert b"/api/v1/endpoints" in answer.content


def test_takes_no_session_without_its_token(world: World, subtests: pytest.Subtests) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.cast.alice.user)

    for row in TABLE:
        if row.method != "GET":
            with subtests.test(row.name, method=row.method):
                answer = send(client, row.method, row.path(world), row.body(world))
                assert answer.status_code == 403
                assert answer.json()["detail"].startswith("CSRF")


def test_asks_a_key_for_no_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {world.secret}"})

    answer = send(client, "DELETE", f"endpoints/{world.endpoint.public_id}")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic {key}",
        "Bearer",
        "Bearer  {key}",
        "bearer {key}",
        "{key}",
        "Bearer {key}x",
        "Bearer ü",
    ],
)
def test_knows_no_other_spelling_of_a_key(world: World, header: str) -> None:
    client = Client(headers={"authorization": header.format(key=world.secret)})

    assert send(client, "GET", "organization").status_code == 401


def test_prefers_the_key_to_the_session(world: World) -> None:
    """A wrong key is refused, also where a session would have been let in."""
    client = caller(world, "alice")

    answer = client.get("/api/v1/organization", headers={"authorization": "Bearer wrong"})

    assert answer.status_code == 401
