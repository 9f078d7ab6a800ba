"""Operations on prices: the list, estimates with their worst case, agreements."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from billing.models import Agreement
from tenants import rls
from tests import factories
from tests.api.callers import caller, send
from tests.api.rows.prices import a_storage_price, a_term, an_agreement_body
from tests.billing.agreeing import FIXED, REASON, agree, approve, second_person
from tests.factories import CHAT
from tests.web.conftest import World


def test_the_price_list_needs_no_key(world: World) -> None:
    found = Client().get("/api/v1/prices").json()

    row = next(one for one in found["prices"] if one["name"] == CHAT)
    assert row["now"]["id"] == factories.token_tariff().public_id
    assert {one["kind"]: one["won"] for one in row["now"]["figures"]} == {
        "token_in": "60.000000000000",
        "token_cached": "60.000000000000",
        "token_out": "180.000000000000",
    }
    assert (row["announced"], found["terms"]) == ([], [])


def test_estimates_a_request_and_the_most(world: World) -> None:
    body = {"model": CHAT, "tokens_in": 1000, "tokens_out": 500, "requests": 10**6}

    found = send(caller(world, "key"), "POST", "estimates", body | {"max_tokens": 600}).json()

    assert found["price_version"] == factories.token_tariff().public_id
    assert found["request"]["exact"] == "0.150000000000"
    assert found["worst"]["exact"] == "0.168000000000"
    assert (found["month"]["supply_won"], found["month"]["total_won"]) == (150_000, 165_000)
    assert (found["hour"], found["lines"]) == (None, [])


def test_estimates_cards(world: World) -> None:
    body = {"chip": "rngd", "replicas": 2, "hours_a_day": 9, "days_a_week": 5}

    found = send(caller(world, "key"), "POST", "estimates", body).json()

    assert found["hour"]["supply_won"] == 2900
    assert found["month"]["supply_won"] == 2900 * 207
    assert found["worst"]["supply_won"] == 2900 * 744
    assert found["request"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "model"),
        ({"model": CHAT, "chip": "rngd"}, "model"),
        ({"model": "gpt-9"}, "model"),
        ({"chip": "h100"}, "chip"),
        ({"model": CHAT, "tokens_in": -1}, "tokens_in"),
        ({"model": CHAT, "tokens_in": 1.5}, "tokens_in"),
        ({"model": CHAT, "tokens_in": 10**30}, "tokens_in"),
        ({"model": CHAT, "tokens_in": 10, "tokens_cached": 11}, "tokens_cached"),
        ({"model": CHAT, "requests": "viele"}, "requests"),
        ({"chip": "rngd", "replicas": 0}, "replicas"),
        ({"chip": "rngd", "hours_a_day": 25}, "hours_a_day"),
        ({"model": CHAT, "modle": 1}, "modle"),
        ({"model": "a\x00b"}, "model"),
    ],
)
def test_refuses_what_makes_no_sense_at_its_field(
    world: World, body: dict[str, Any], field: str
) -> None:
    answer = send(caller(world, "key"), "POST", "estimates", body)

    assert answer.status_code == 422
    assert field in {one["field"] for one in answer.json()["errors"]}


def test_an_organization_reads_its_own_agreements(world: World) -> None:
    second = second_person(world.cast)
    made = agree(world.cast, second, FIXED)
    agree(world.cast, second, FIXED, of=world.cast.mallory.may.organization)

    (found,) = caller(world, "key").get("/api/v1/agreements").json()["data"]

    assert found["id"] == made.public_id
    assert found["ends_at"] is None
    assert found["terms"] == [
        {"kind": "tokens", "item": CHAT, "value": dict(FIXED.value)},
    ]


def test_an_agreement_takes_two(world: World) -> None:
    body = an_agreement_body(world)

    answer = send(caller(world, "olivia"), "POST", "operator/agreements", body)

    assert answer.status_code == 202
    with rls.everyone(because="test"):
        assert not Agreement.objects.exists()
        from tenants.models import Proposal

        proposal = Proposal.objects.get(public_id=answer.json()["id"])
    approve(proposal, second_person(world.cast))
    with rls.everyone(because="test"):
        assert Agreement.objects.get().organization == world.cast.firm


LINE = {"kind": "tokens", "item": CHAT}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"lines": []}, "lines"),
    ({"lines": [LINE | {"value": {"off": "110"}}]}, "value"),
    ({"lines": [LINE | {"value": {"off": 0.1}}]}, "value"),
    ({"lines": [LINE | {"value": "NaN"}]}, "value"),
    ({"lines": [LINE | {"item": "gpt-9", "value": {"off": "1"}}]}, "item"),
    ({"starts_on": "2026-11-16"}, "starts_on"),
    ({"starts_on": "2026-13-01"}, "starts_on"),
    ({"ends_on": "2026-11-30"}, "ends_on"),
    ({"reference": " "}, "reference"),
    ({"reference": "a\u202eb"}, "reference"),
    ({"because": "x"}, "because"),
]


def test_refuses_an_agreement_without_sense(world: World, subtests: pytest.Subtests) -> None:
    olivia = caller(world, "olivia")
    for changes, field in BAD:
        with subtests.test(field=field, changes=changes):
            body = an_agreement_body(world) | changes
            answer = send(olivia, "POST", "operator/agreements", body)
            assert answer.status_code == 422
            assert any(one["field"].startswith(field) for one in answer.json()["errors"])


def test_an_overlap_is_a_conflict(world: World) -> None:
    agree(world.cast, second_person(world.cast), FIXED)

    answer = send(caller(world, "olivia"), "POST", "operator/agreements", an_agreement_body(world))

    assert answer.status_code == 409
    assert "계약 2026-17" in answer.json()["detail"]


def test_proposes_prices_of_storage_and_terms(world: World) -> None:
    olivia = caller(world, "olivia")

    assert (
        send(olivia, "POST", "operator/prices/storage", a_storage_price(world)).status_code == 202
    )
    assert send(olivia, "POST", "operator/prices/terms", a_term(world)).status_code == 202
    gap = [{"start": 0, "end": 10, "off": "0"}, {"start": 11, "end": None, "off": "5"}]
    tiers = a_term(world) | {
        "kind": "tiers",
        "item": f"tokens/{CHAT}",
        "value": {"mode": "volume", "steps": gap},
    }
    answer = send(olivia, "POST", "operator/prices/terms", tiers)
    assert answer.status_code == 422
    assert "10~11" in answer.json()["detail"]


def test_refuses_input_from_the_cache_that_costs_more(world: World) -> None:
    body = {
        "model": CHAT,
        "price_in": "60",
        "price_cached": "60.000001",
        "price_out": "1",
        "starts_on": "2026-12-01",
        "because": REASON,
    }

    answer = send(caller(world, "olivia"), "POST", "operator/prices/tokens", body)

    assert answer.status_code == 422
