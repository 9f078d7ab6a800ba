"""Own models by the API: register, show, order, withdraw; another organization's key sees none."""

from __future__ import annotations

from typing import Any

from portal.catalog import admitting
from portal.catalog.models import OwnModel
from tenants import rls
from tests.api.callers import caller, send
from tests.factories import CHAT, NOON
from tests.fakes.origin import Origin, encoded
from tests.web.conftest import World
from tests.web.test_own_models import place

__all__ = ["place"]


def sent(place: Origin, raw: bytes, **changes: Any) -> dict[str, Any]:
    location, digest = place.put(raw)
    fields = {"name": "Claims desk", "base": CHAT, "location": location, "digest": digest}
    return fields | {"licence_confirmed": True} | changes


def checked(world: World) -> None:
    with rls.tenant(world.cast.firm.pk):
        pk = OwnModel.objects.get().pk
    admitting.check(world.cast.firm.pk, pk, now=NOON)


def test_from_registration_to_withdrawal(world: World, place: Origin) -> None:
    api = caller(world, "key")
    made = send(api, "POST", "own-models", sent(place, encoded()))
    assert made.status_code == 201 and made.json()["state"] == "registered"
    one = f"own-models/{made.json()['id']}"
    checked(world)

    shown = send(api, "GET", one).json()
    assert (shown["state"], shown["form"], shown["refusal"]) == ("admitted", "gguf", None)
    assert {chip["chip"] for chip in shown["chips"] if chip["loads"]} >= {"rngd"}
    wish = {"project": world.cast.project.public_id, "model": made.json()["id"], "name": "claims"}
    ordered = send(api, "POST", "endpoints", wish, Idempotency_Key="claims-0001")
    assert ordered.status_code == 201, ordered.json()
    endpoint = send(api, "GET", f"endpoints/{ordered.json()['endpoint']}").json()
    assert (endpoint["model"], endpoint["own_model"]) == (CHAT, made.json()["id"])
    refused = send(api, "DELETE", one)
    assert (refused.status_code, refused.json()["title"]) == (409, "in_use")

    foreign = caller(world, "foreign-key")
    asked = send(foreign, "POST", "endpoints?estimate=true", wish | {"project": a_project(foreign)})
    never = wish | {"project": a_project(foreign), "model": "mdl_0000000000000000"}
    unknown = send(foreign, "POST", "endpoints?estimate=true", never)
    assert asked.status_code == unknown.status_code == 422
    told, other = asked.json(), unknown.json()
    assert told.pop("request_id") != other.pop("request_id")
    assert told == other
    assert send(foreign, "GET", "own-models").json()["data"] == []


def a_project(api: Any) -> str:
    return str(send(api, "GET", "projects").json()["data"][0]["id"])


def test_names_what_is_wrong(world: World, place: Origin) -> None:
    api = caller(world, "key")
    for changes, status, title in (
        ({"location": "http://127.0.0.1/m.json"}, 422, "location"),
        ({"digest": "x"}, 422, "digest"),
        ({"base": "nothing"}, 422, "unknown_base"),
        ({"licence_confirmed": False}, 422, "licence"),
        ({"name": "\u202e"}, 422, "name"),
        ({"name": "x" * 61}, 422, "invalid"),
        ({"extra": 1}, 422, "invalid"),
    ):
        answer = send(api, "POST", "own-models", sent(place, b"{}", **changes))
        assert (answer.status_code, answer.json()["title"]) == (status, title), changes

    made = send(api, "POST", "own-models", sent(place, b"{}")).json()
    checked(world)
    found = send(api, "GET", f"own-models/{made['id']}").json()
    assert found["refusal"]["code"] == "bad_manifest" and found["refusal"]["next_step"]
