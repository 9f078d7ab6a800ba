"""Who may call which operation: one table. An operation that is missing here fails."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

import pytest
from django.test import Client

from billing.models import ProviderEvent
from portal.api.urls import documentation, urlpatterns
from portal.lib import ids
from tests.api.callers import caller, send
from tests.api.rows import TABLE
from tests.api.rows.row import CALLERS, WITHOUT, Row
from tests.web.conftest import World

PUBLIC = {"api_schema", "api_docs", "api_terms"}
SIGNED = {"api_card_events"}  # proven by the sender's signature; a session counts for nothing


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

    outside = ["200"] * len(WITHOUT) if row.name in PUBLIC else row.without.split()
    expected = dict(zip(WITHOUT, outside, strict=True)) | dict(
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
        if row.method != "GET" and row.name not in SIGNED:
            with subtests.test(row.name, method=row.method):
                answer = send(client, row.method, row.path(world), row.body(world))
                assert answer.status_code == 403
                assert answer.json()["detail"].startswith("CSRF")


def _signature(raw: bytes, *, secret: str, age: int = 0) -> str:
    moment = int(time.time()) - age
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + raw, hashlib.sha256)
    return f"t={moment},v1={digest.hexdigest()}"


@pytest.mark.parametrize("name", sorted(SIGNED))
def test_believes_nobody_without_a_signature_over_these_bytes_of_now(
    world: World, name: str, settings: Any, subtests: pytest.Subtests
) -> None:
    """What has no token and no session is let in by nothing else; not the operator's people, and
    not a customer's key."""
    secret, other = "whsec_" + "a" * 32, "whsec_" + "b" * 32
    settings.DURE_STRIPE_KEY, settings.DURE_STRIPE_WEBHOOK_SECRETS = "sk_test_x", [secret]
    (row,) = [one for one in TABLE if one.name == name]
    raw = b'{"id":"evt_1","type":"x.y","created":1,"data":{"object":{"id":"x_1"}}}'
    refused = {
        "unsigned": "",
        "nothing": "t=,v1=",
        "made up": f"t={int(time.time())},v1={'0' * 64}",
        "by another secret": _signature(raw, secret=other),
        "over other bytes": _signature(raw + b" ", secret=secret),
        "old": _signature(raw, secret=secret, age=301),
    }

    def post(client: Client, signature: str) -> int:
        headers = {"Stripe-Signature": signature} if signature else {}
        answer = client.generic(
            row.method, f"/api/v1/{row.path(world)}", raw, "application/json", headers=headers
        )
        return answer.status_code

    for case, signature in refused.items():
        for who in ("anonymous", "olivia", "key"):
            with subtests.test(case, who=who):
                assert post(caller(world, who), signature) == 400
    assert not ProviderEvent.objects.exists()
    assert post(Client(enforce_csrf_checks=True), _signature(raw, secret=secret)) == 200
    assert ProviderEvent.objects.count() == 1


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
