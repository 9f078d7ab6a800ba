"""Operations on answered requests: pages that fit together, exact amounts, refusals by name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.lib import ids
from portal.usage.models import LedgerEntry
from tenants import rls
from tests import factories
from tests.api.callers import bearer, caller, send
from tests.factories import CHAT, NOON
from tests.web.conftest import World
from tests.web.test_requests import an_orphan, entry


def test_keys_see_their_own_project_only(world: World) -> None:
    found = entry(world)
    other = factories.project(world.cast.firm, "다른 일")
    key = bearer(factories.api_key(other, world.cast.alice.may, "k", scopes=["billing_read"])[1])

    assert send(key, "GET", "requests").json()["data"] == []
    assert send(key, "GET", f"requests/{found}").status_code == 404
    assert send(bearer(world.secret), "GET", f"requests/{found}").status_code == 200


def test_pages_follow_their_address(world: World) -> None:
    for number in range(5):
        entry(world, at=NOON - timedelta(minutes=number + 10), key="key_mine")
    key, address, found = bearer(world.secret), "/api/v1/requests?key=key_mine&limit=2", []

    while address:
        answer = key.get(address).json()
        found += [one["id"] for one in answer["data"]]
        address = answer["next"]

    with rls.tenant(world.cast.firm.pk):
        mine = LedgerEntry.objects.filter(key="key_mine").order_by("-admitted_at")
        assert found == [str(one.request_id) for one in mine]


def test_an_operation_tells_lines_and_amounts_exactly(world: World) -> None:
    found = entry(world, written_off_micro=0, attempts=2, data_class="open", waited_ms=7)
    an_orphan(world, found)

    answer = send(bearer(world.secret), "GET", f"requests/{found}").json()

    assert answer["entry"]["id"] == str(found) and answer["entry"]["attempts"] == 2
    assert answer["entry"]["cost_micro_won"] == 15_000
    assert answer["entry"]["data_class"] == "open" and answer["entry"]["waited_ms"] == 7
    assert answer["entry"]["simulated"] is None and answer["entry"]["replayable"] is None
    assert answer["cost"]["basis"] == "tokens" and answer["cost"]["cost_won"] == "0.015000"
    assert answer["cost"]["lines"][0] == {
        "kind": "token_in",
        "tokens": 100,
        "won_per_million": "60.000000",
        "won": "0.006000000000",
    }
    assert answer["orphaned"]["hold_micro_won"] == 1_500_000


def test_an_operation_tells_of_a_hold_without_settlement(world: World) -> None:
    lost = ids.mint_request_id(int(NOON.timestamp() * 1000))
    an_orphan(world, lost)

    answer = send(caller(world, "alice"), "GET", f"requests/{lost}").json()

    assert (answer["entry"], answer["cost"]) == (None, None)
    assert answer["orphaned"]["resolved_at"] is None


@pytest.mark.parametrize(
    "query",
    [
        "since=x",
        "since=2026-11-16&until=2026-11-01",
        "since=2026-01-01",
        "outcome=x",
        "only=x",
        "limit=0",
        "limit=x",
        "organization=x",
        "outcom=answered",
        "project=%00",
        f"project={'x' * 25}",
    ],
)
def test_refuses_queries_that_it_does_not_know(world: World, query: str) -> None:
    answer = send(bearer(world.secret), "GET", f"requests?{query}")

    assert answer.status_code == 422 and answer.json()["errors"]


def test_gives_no_more_than_two_hundred(world: World) -> None:
    answer = send(bearer(world.secret), "GET", f"requests?limit=100000&model={CHAT}")

    assert answer.status_code == 200 and answer.json()["next"] is None
