"""A project's own names, its kept answers and the organization's region over the control API."""

from __future__ import annotations

from typing import Any

import pytest

from tenants import rls
from tenants.models import AuditEvent, Organization, Project
from tests.api.callers import bearer, caller, send
from tests.factories import CHAT, EMBEDDING
from tests.web.conftest import World


def names(world: World) -> str:
    return f"projects/{world.cast.project.public_id}/aliases"


def test_a_name_is_given_changed_and_deleted(world: World) -> None:
    bob = caller(world, "bob")

    made = send(bob, "POST", names(world), {"name": "gpt-4o-mini", "target": CHAT}).json()
    path = f"aliases/{made['id']}"
    changed = send(bob, "PATCH", path, {"target": world.endpoint.name}).json()
    listed = send(bob, "GET", names(world)).json()["data"]
    gone = send(bob, "DELETE", path)

    assert made["project"] == world.cast.project.public_id
    assert (changed["name"], changed["target"]) == ("gpt-4o-mini", world.endpoint.name)
    assert listed == [changed]
    assert gone.status_code == 204 and send(bob, "GET", path).status_code == 404


def test_a_key_that_orders_endpoints_names_models(world: World) -> None:
    answer = send(bearer(world.secret), "POST", names(world), {"name": "o1", "target": CHAT})

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "a b", "target": CHAT}, 422, "name"),
        ({"name": CHAT, "target": CHAT}, 422, "name_taken"),
        ({"name": "TAKEN", "target": CHAT}, 422, "name_taken"),
        ({"name": "o1", "target": "gpt-9"}, 422, "unknown_target"),
        ({"name": "o1"}, 422, "invalid"),
        ({"name": "x" * 65, "target": CHAT}, 422, "invalid"),
        ({"name": "o1", "target": CHAT, "project": "prj_x"}, 422, "invalid"),
    ],
)
def test_refuses_a_bad_name_by_its_field(
    world: World, body: dict[str, Any], status: int, code: str
) -> None:
    alice = caller(world, "alice")
    send(alice, "POST", names(world), {"name": "taken", "target": CHAT})

    answer = send(alice, "POST", names(world), body)

    assert (answer.status_code, answer.json()["title"]) == (status, code)


def test_changes_no_name_that_was_changed_meanwhile(world: World) -> None:
    alice = caller(world, "alice")
    made = send(alice, "POST", names(world), {"name": "o1", "target": CHAT}).json()
    path = f"aliases/{made['id']}"
    seen = send(alice, "GET", path)["ETag"]
    send(alice, "PATCH", path, {"target": EMBEDDING}, If_Match=seen)

    stale = send(alice, "PATCH", path, {"target": CHAT}, If_Match=seen)

    assert (stale.status_code, send(alice, "GET", path).json()["target"]) == (412, EMBEDDING)


def test_says_whether_answers_are_kept(world: World) -> None:
    alice, path = caller(world, "alice"), f"projects/{world.cast.project.public_id}"

    before = send(alice, "GET", path).json()["replay"]
    after = send(alice, "PATCH", path, {"replay": True}).json()["replay"]
    refused = send(alice, "PATCH", path, {"data_class": "medical"})
    new = send(alice, "POST", "projects", {"name": "neu", "data_class": "medical", "replay": True})

    assert (before, after) == (False, True)
    for answer in (refused, new):
        assert (answer.status_code, answer.json()["title"]) == (422, "replay")


def test_an_organization_says_where_it_is(world: World) -> None:
    alice = caller(world, "alice")
    seen = send(alice, "GET", "organization")

    changed = send(alice, "PATCH", "organization", {"region": "daegu"}, If_Match=seen["ETag"])
    stale = send(alice, "PATCH", "organization", {"region": "busan"}, If_Match=seen["ETag"])
    unknown = send(alice, "PATCH", "organization", {"region": "atlantis"})
    nowhere = send(alice, "PATCH", "organization", {"region": ""})

    assert (seen.json()["region"], changed.json()["region"]) == ("", "daegu")
    assert (stale.status_code, unknown.status_code) == (412, 422)
    assert unknown.json()["title"] == "unknown_region"
    assert nowhere.json()["region"] == ""
    with rls.tenant(world.cast.firm.pk):
        told = [one.changes for one in AuditEvent.objects.filter(verb="organization.change")]
        assert {"region": {"from": "", "to": "daegu"}} in told and len(told) == 2
        assert Organization.objects.get(pk=world.cast.firm.pk).region == ""
        assert Project.objects.get(pk=world.cast.project.pk).replay is False
