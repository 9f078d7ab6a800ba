"""Reserved cards by the API: once for a key, taken over by another organization, given back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.callers import caller, send
from tests.api.rows.reservations import SPAN, a_wish
from tests.web.conftest import World
from tests.web.rows.reservations import counted_after_an_outage

pytestmark = pytest.mark.django_db


def test_reserves_once_offers_and_gives_back(world: World) -> None:
    bob, mallory = caller(world, "bob"), caller(world, "mallory")
    wish = a_wish(world) | {"cards": 2}

    def post(who: Any, path: str, body: Any, key: str = "key-00001") -> Any:
        return send(who, "POST", path, body, Idempotency_Key=key)

    made = post(bob, "reservations", wish)
    again = post(bob, "reservations", wish)
    other = post(bob, "reservations", wish | {"cards": 1})
    full = post(bob, "reservations?estimate=true", wish | {"cards": 3, "region": "busan"})
    assert (made.status_code, again.json()["id"]) == (201, made.json()["id"])
    assert (other.status_code, other.json()["title"]) == (422, "idempotency_mismatch")
    assert (
        full.status_code,
        full.json()["title"],
        full.json()["sites"][0]["reasons"][0]["code"],
    ) == (
        409,
        "no_room",
        "other_region",
    )

    span = {"starts_at": SPAN.start.isoformat(), "ends_at": SPAN.end.isoformat()}
    offered = post(bob, f"reservations/{made.json()['id']}/offers", span | {"cards": 1}).json()
    (seen,) = send(mallory, "GET", "reservation-offers").json()["data"]
    assert (seen["id"], seen["own"], seen["cards"]) == (offered["id"], False, 1)

    back = send(bob, "DELETE", f"reservations/{made.json()['id']}").json()
    assert back["state"] == "cancelled"
    assert send(mallory, "GET", "reservation-offers").json()["data"] == []


def test_says_what_was_charged_and_what_not(world: World) -> None:
    one = counted_after_an_outage(world)

    found = send(caller(world, "bob"), "GET", f"reservations/{one.public_id}").json()

    assert found["not_charged"] == [{"because": "silent", "card_seconds": 8 * 3600}]
    assert found["counted_until"] == found["ends_at"]
    assert 0 < found["charged_card_seconds"] <= 5 * 8 * 3600
