"""Approvals over the control API."""

from __future__ import annotations

from typing import Any

import pytest

from billing.approvals import defaults
from billing.approvals.matrix import to_json
from billing.models import ApprovalMatrix, ApprovalRequest
from tenants import rls
from tests.api.callers import caller, send
from tests.api.rows.row import an_order
from tests.web.conftest import World
from tests.web.rows.approvals import an_approval


def test_tells_terms_chain_and_whose_turn_it_is(world: World) -> None:
    request = an_approval(world)

    found = send(caller(world, "carol"), "GET", f"approvals/{request.public_id}").json()

    terms = {"from_won": 100_000_000, "to_won": 200_000_000}
    assert (found["terms"], found["terms_now"]) == (terms, terms)
    assert [one["roles"] for one in found["steps"]] == [["owner", "budget_officer"]]
    assert (found["open_step"], found["waits_for"]) == (1, ["김서연", "이정민"])


@pytest.mark.parametrize(
    ("query", "who", "count"),
    [
        ("?show=mine", "carol", 1),
        ("?show=mine", "bob", 0),
        ("?show=asked", "bob", 1),
        ("?show=closed", "bob", 0),
        ("?kind=order", "bob", 0),
        ("?kind=budget.raise", "bob", 1),
        ("", "dan", 1),
    ],
)
def test_lists_with_filters(world: World, query: str, who: str, count: int) -> None:
    an_approval(world)

    answer = send(caller(world, who), "GET", f"approvals{query}")

    assert (answer.status_code, len(answer.json()["data"])) == (200, count)


@pytest.mark.parametrize("query", ["?show=all", "?kind=party", "?shw=mine"])
def test_refuses_filters_that_it_does_not_know(world: World, query: str) -> None:
    assert send(caller(world, "carol"), "GET", f"approvals{query}").status_code == 400


def decide(world: World, request: ApprovalRequest, who: str, **changes: Any) -> tuple[int, str]:
    body = {"agrees": True, "round": 1, "step": 1} | changes
    answer = send(caller(world, who), "POST", f"approvals/{request.public_id}/decision", body)
    found = answer.json()
    return answer.status_code, found.get("title" if answer.status_code >= 400 else "state", "")


def test_the_last_signature_carries_it_out(world: World) -> None:
    request = an_approval(world)

    assert decide(world, request, "carol") == (200, "done")
    assert decide(world, request, "alice") == (409, "decided")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"agrees": False}, "because"),
        ({"round": 0}, "invalid"),
        ({"step": 1.5}, "invalid"),
        ({"agrees": "maybe"}, "invalid"),
        ({"surprise": 1}, "invalid"),
    ],
)
def test_refuses_a_decision_that_is_none(world: World, changes: dict[str, Any], code: str) -> None:
    assert decide(world, an_approval(world), "carol", **changes) == (422, code)


@pytest.mark.parametrize("changes", [{"round": 2}, {"step": 2}])
def test_refuses_a_decision_on_another_step(world: World, changes: dict[str, Any]) -> None:
    assert decide(world, an_approval(world), "carol", **changes) == (409, "decided")


def test_an_order_above_the_bound_is_accepted_and_waits(world: World) -> None:
    body = an_order(world) | {"replicas": 8}
    ask = {"Idempotency_Key": "idem-approval-1"}

    first = send(caller(world, "key"), "POST", "endpoints", body, **ask)
    again = send(caller(world, "key"), "POST", "endpoints", body, **ask)

    assert (first.status_code, again.status_code) == (202, 202)
    found = first.json()
    assert (found["state"], found["endpoint"], found["id"]) == (
        "awaiting",
        None,
        again.json()["id"],
    )
    with rls.tenant(world.cast.firm.pk):
        request = ApprovalRequest.objects.get(subject=found["id"])
        assert request.requested_by_id == world.cast.alice.user.pk
    assert decide(world, request, "alice") == (403, "not_your_step")  # her own key asked
    assert decide(world, request, "carol") == (200, "done")


def rules(**changes: Any) -> dict[str, Any]:
    found = to_json(defaults.of("public"))
    return {"rules": found, "version": 0, "because": "공공기관처럼 합니다"} | changes


def test_an_owner_writes_rules_whole(world: World) -> None:
    alice = caller(world, "alice")

    assert send(alice, "PUT", "approval-rules", rules()).json()["version"] == 1
    assert send(alice, "PUT", "approval-rules", rules()).status_code == 409
    (version,) = send(alice, "GET", "approval-rules/versions").json()["data"]
    assert version["because"] == "공공기관처럼 합니다"
    trial = send(
        alice, "GET", "approval-rules/trial?kind=order&amount_won=1000000&data_class=medical"
    ).json()
    assert [one["roles"] for one in trial["steps"]] == [["budget_officer"], ["owner"]]


def one_rule(**changes: Any) -> dict[str, Any]:
    return rules(rules=[{"kind": "order"} | changes])


@pytest.mark.parametrize(
    "body",
    [
        rules(rules=[]),
        rules(rules="all"),
        rules(because="x"),
        rules(version=-1),
        one_rule(),  # the other kinds have no rule
        one_rule(from_won=-1),
        one_rule(from_won=0.5),
        one_rule(until_won=10**30),
        one_rule(kind="party"),
        one_rule(steps=[{"roles": ["developer"]}]),
        one_rule(steps=[{"members": ["mem_of_another"]}]),
        one_rule(surprise=1),
    ],
)
def test_refuses_rules_that_are_wrong(world: World, body: dict[str, Any]) -> None:
    answer = send(caller(world, "alice"), "PUT", "approval-rules", body)

    assert answer.status_code == 422
    with rls.tenant(world.cast.firm.pk):
        assert not ApprovalMatrix.objects.exists()


@pytest.mark.parametrize(
    "query",
    [
        "kind=party&amount_won=1",
        "kind=order",
        "kind=order&amount_won=-1",
        "kind=order&amount_won=1.5",
        "kind=order&amount_won=99999999999999999999",
        "kind=order&amount_won=1&data_class=secret",
    ],
)
def test_refuses_a_trial_of_nothing(world: World, query: str) -> None:
    answer = send(caller(world, "bob"), "GET", f"approval-rules/trial?{query}")

    assert answer.status_code == 400
