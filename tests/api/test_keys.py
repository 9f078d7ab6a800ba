"""Keys and projects over the control API."""

from __future__ import annotations

from typing import Any

import pytest

from tenants import rls
from tenants.models import ApiKey, Project
from tenants.scopes import Scope
from tests import factories
from tests.api.callers import bearer, caller, send
from tests.web.conftest import World


def test_makes_a_key_with_all_its_limits(world: World) -> None:
    body = {
        "name": "배치",
        "project": world.cast.project.public_id,
        "scopes": ["inference", "control_read"],
        "addresses": ["203.0.113.7"],
        "sites": [world.site.code],
        "concurrency_limit": 3,
        "tpm_limit": 9000,
        "limit_won": 1000,
    }

    answer = send(caller(world, "alice"), "POST", "keys", body)

    made = answer.json()
    assert answer.status_code == 201
    assert made["addresses"] == ["203.0.113.7/32"]
    assert (made["concurrency_limit"], made["tpm_limit"]) == (3, 9000)
    assert made["used_at"] is None
    assert made["secret"].startswith("dure_live_")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "invalid"),
        ({"addresses": ["10.0.0.1/8"]}, "addresses"),
        ({"models": ["gpt-9"]}, "unknown_models"),
        ({"sites": ["seoul-9"]}, "unknown_sites"),
        ({"limit_won": -1}, "limit"),
        ({"rpm_limit": 0}, "invalid"),
        ({"tpm_limit": -1}, "invalid"),
        ({"tpm_limit": 100_000_001}, "invalid"),
        ({"organization": "org_x"}, "invalid"),
        ({"made_by": "usr_x"}, "invalid"),
    ],
)
def test_refuses_a_bad_key_by_its_field(world: World, body: dict[str, Any], code: str) -> None:
    wish = {"name": "k", "project": world.cast.project.public_id} | body

    answer = send(caller(world, "alice"), "POST", "keys", wish)

    assert (answer.status_code, answer.json()["title"]) == (422, code)


def test_a_developer_cannot_make_what_reads_invoices(world: World) -> None:
    wish = {"name": "k", "project": world.cast.project.public_id, "scopes": ["billing_read"]}

    answer = send(caller(world, "bob"), "POST", "keys", wish)

    assert (answer.status_code, answer.json()["title"]) == (422, "scopes")


def test_says_from_which_address_a_key_may_not_be_used(world: World) -> None:
    _, secret = factories.api_key(
        world.cast.project,
        world.cast.alice.may,
        scopes=Scope.values,
        allowed_addresses=["10.0.0.0/8"],
    )

    answer = send(bearer(secret), "GET", "organization")

    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"
    assert "127.0.0.1" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("scope", "reads"),
    [
        ("inference", set()),
        ("control_read", {"organization", "projects", "keys", "endpoints"}),
        ("control_write", {"organization", "projects", "endpoints"}),
        ("billing_read", {"organization", "usage", "budgets", "invoices"}),
    ],
)
def test_a_scope_opens_its_operations_and_no_others(
    world: World, scope: str, reads: set[str]
) -> None:
    _, secret = factories.api_key(world.cast.project, world.cast.alice.may, scopes=[scope])
    client = bearer(secret)

    found = {
        path
        for path in (
            "organization",
            "projects",
            "keys",
            "endpoints",
            "usage",
            "budgets",
            "invoices",
        )
        if send(client, "GET", path).status_code == 200
    }

    assert found == reads


def test_archives_and_restores_by_patch(world: World) -> None:
    project = factories.project(world.cast.firm, "다른 일")
    alice, path = caller(world, "alice"), f"projects/{project.public_id}"

    assert send(alice, "PATCH", path, {"archived": True}).json()["archived_at"]
    refused = send(alice, "PATCH", path, {"name": "neu"})
    back = send(alice, "PATCH", path, {"archived": False, "name": "neu"})

    assert refused.status_code == 422
    assert (back.json()["archived_at"], back.json()["name"]) == (None, "neu")
    with rls.tenant(world.cast.firm.pk):
        assert Project.objects.get(pk=project.pk).name == "neu"


def test_an_ended_key_is_not_rotated(world: World) -> None:
    alice = caller(world, "alice")
    send(alice, "DELETE", f"keys/{world.key.public_id}")

    answer = send(alice, "POST", f"keys/{world.key.public_id}/rotate", {})

    assert (answer.status_code, answer.json()["title"]) == (409, "key_ended")
    with rls.tenant(world.cast.firm.pk):
        assert not ApiKey.objects.filter(replaces=world.key.public_id).exists()


@pytest.mark.parametrize("path", ["projects/{project}", "keys/{key}"])
def test_changes_nothing_that_was_changed_meanwhile(world: World, path: str) -> None:
    path = path.format(project=world.cast.project.public_id, key=world.key.public_id)
    alice = caller(world, "alice")
    seen = send(alice, "GET", path)["ETag"]
    first = send(alice, "PATCH", path, {"name": "erster"}, If_Match=seen)

    stale = send(alice, "PATCH", path, {"name": "zweiter"}, If_Match=seen)
    fresh = send(alice, "PATCH", path, {"name": "dritter"}, If_Match=first["ETag"])
    any_at_all = send(alice, "PATCH", path, {"name": "vierter"}, If_Match="*")

    assert (first.status_code, stale.status_code) == (200, 412)
    assert stale.json()["title"] == "stale"
    assert (fresh.status_code, any_at_all.status_code) == (200, 200)
    assert send(alice, "GET", path).json()["name"] == "vierter"


def test_a_use_of_the_key_makes_nothing_stale(world: World) -> None:
    alice, path = caller(world, "alice"), f"keys/{world.key.public_id}"
    seen = send(alice, "GET", path)["ETag"]

    send(bearer(world.secret), "GET", "organization")

    assert send(alice, "GET", path)["ETag"] == seen


@pytest.mark.parametrize(
    "query",
    ["ordering=password", "revoked_at__isnull=1", "name__regex=.*", "limits=5", "organization=x"],
)
@pytest.mark.parametrize("path", ["keys", "projects", "models", "invoices", "orders"])
def test_refuses_parameters_that_nobody_reads(world: World, path: str, query: str) -> None:
    answer = send(caller(world, "alice"), "GET", f"{path}?{query}")

    assert (answer.status_code, answer.json()["title"]) == (400, "unknown_parameter")
    assert query.partition("=")[0] in answer.json()["detail"]
