"""Bad input is refused by name, lists come in pages, orders happen once."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest

from portal.deployments.models import Order
from tenants import rls
from tenants.models import ApiKey
from tests import factories
from tests.api.callers import caller, send
from tests.api.rows.row import an_order
from tests.factories import CHAT
from tests.web.conftest import World
from tests.web.rows.watches import a_wish

PROBLEM = "application/problem+json"


def fields(answer: Any) -> set[str]:
    assert answer["Content-Type"] == PROBLEM
    return {one["field"] for one in answer.json()["errors"]}


BODIES = [
    # who, method, path, a body that is right
    ("alice", "POST", "projects", {"name": "p"}),
    ("alice", "POST", "keys", {"name": "k", "project": "{project}"}),
    ("alice", "POST", "endpoints", {"name": "e", "project": "{project}", "model": CHAT}),
    ("alice", "PATCH", "budgets/{budget}", {"limit_won": 200_000_000}),
]


def filled(world: World, value: Any) -> Any:
    if isinstance(value, str):
        return value.format(project=world.cast.project.public_id, budget=world.budget.public_id)
    if isinstance(value, dict):
        return {name: filled(world, one) for name, one in value.items()}
    return value


@pytest.mark.parametrize(("who", "method", "path", "body"), BODIES, ids=lambda x: str(x)[:20])
def test_refuses_fields_that_it_does_not_know_by_name(
    world: World, who: str, method: str, path: str, body: dict[str, Any]
) -> None:
    sent = filled(world, body) | {"naem": 1, "organization": "org_other"}

    answer = send(caller(world, who), method, filled(world, path), sent)

    assert answer.status_code == 422
    assert fields(answer) == {"naem", "organization"}


@pytest.mark.parametrize("sent", [[], '"text"', "1", "null", [{}]], ids=str)
def test_refuses_a_body_that_is_no_object(world: World, sent: Any) -> None:
    answer = caller(world, "alice").post(
        "/api/v1/projects", data=sent, content_type="application/json"
    )

    assert answer.status_code == 422


@pytest.mark.parametrize("raw", [b"{", b"\xff", b'{"name": NaN}', b"[" * 100_000])
def test_refuses_what_is_no_json(world: World, raw: bytes) -> None:
    answer = caller(world, "alice").post(
        "/api/v1/projects", data=raw, content_type="application/json"
    )

    assert answer.status_code in {400, 422}
    assert answer["Content-Type"] == PROBLEM


def test_refuses_another_kind_of_body(world: World) -> None:
    answer = caller(world, "alice").post("/api/v1/projects", {"name": "p"})

    assert answer.status_code == 415


BAD = [
    ("POST", "projects", {"name": ""}, "name"),
    ("POST", "projects", {"name": "a\u202eb"}, "name"),
    ("POST", "projects", {"name": "a\x00b"}, "name"),
    ("POST", "projects", {"name": "첫 프로젝트"}, "name"),
    ("POST", "projects", {"data_class": "secret"}, "data_class"),
    ("POST", "keys", {"project": "prj_unknown"}, "project"),
    ("POST", "keys", {"project": "a\x00b"}, "project"),
    ("POST", "keys", {"mode": "both"}, "mode"),
    ("POST", "keys", {"rpm_limit": 0}, "rpm_limit"),
    ("POST", "keys", {"rpm_limit": 10**30}, "rpm_limit"),
    ("POST", "keys", {"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ("POST", "keys", {"models": "all"}, "models"),
    ("POST", "endpoints", {"model": "gpt"}, "model"),
    ("POST", "endpoints", {"model": factories.EMBEDDING}, "model"),
    ("POST", "endpoints", {"name": CHAT}, "name"),
    ("POST", "endpoints", {"name": " "}, "name"),
    ("POST", "endpoints", {"replicas": 9}, "replicas"),
    ("POST", "endpoints", {"replicas": 0}, "replicas"),
    ("POST", "endpoints", {"project": "prj_unknown"}, "project"),
    ("PATCH", "budgets/{budget}", {"limit_won": -1}, "limit_won"),
    ("PATCH", "budgets/{budget}", {"limit_won": 10**17}, "limit_won"),
    ("PATCH", "budgets/{budget}", {"limit_won": "viel"}, "limit_won"),
]


def test_refuses_bad_values_at_their_field(world: World, subtests: pytest.Subtests) -> None:
    good = {path: body for _, _, path, body in BODIES}
    alice = caller(world, "alice")

    for method, path, changes, field in BAD:
        with subtests.test(path, field=field, changes=changes):
            body = filled(world, good[path]) | changes
            answer = send(alice, method, filled(world, path), body, Idempotency_Key="abcdefgh-1")
            assert answer.status_code == 422
            assert any(name.startswith(field) for name in fields(answer))


def test_says_which_sites_have_no_room(world: World) -> None:
    body = an_order(world) | {"region": "jeju"}

    answer = send(caller(world, "key"), "POST", "endpoints", body, Idempotency_Key="abcdefgh-1")

    assert answer.status_code == 409
    problem = answer.json()
    assert problem["title"] == "no_room"
    (site,) = problem["sites"]
    assert [one["code"] for one in site["reasons"]] == ["other_region"]
    assert all(one["sentence"] for one in site["reasons"])
    assert {"kind": "region", "value": "daegu"}.items() <= problem["fixes"][0].items()

    region = problem["fixes"][0]["value"]
    fixed = send(
        caller(world, "key"),
        "POST",
        "endpoints",
        body | {"region": region},
        Idempotency_Key="abcdefgh-2",
    )
    assert fixed.status_code == 201


def test_waits_for_room_instead(world: World) -> None:
    alice = caller(world, "alice")

    waiting = send(alice, "POST", "capacity-watches", a_wish(world)).json()

    assert (waiting["region"], waiting["replicas"], waiting["chip"]) == ("", 1, "atom-plus")
    has_room = send(alice, "POST", "capacity-watches", a_wish(world) | {"chip": ""})
    assert (has_room.status_code, has_room.json()["title"]) == (409, "has_room")


def test_shows_a_price_and_orders_nothing(world: World) -> None:
    answer = send(caller(world, "key"), "POST", "endpoints?estimate=true", an_order(world))

    assert answer.status_code == 200
    assert answer.json()["won_per_hour"] == 1450
    with rls.tenant(world.cast.firm.pk):
        assert not Order.objects.exists()


@pytest.mark.parametrize("key", ["", "short", "x" * 81])
def test_orders_nothing_without_an_idempotency_key(world: World, key: str) -> None:
    headers = {"Idempotency_Key": key} if key else {}

    answer = send(caller(world, "key"), "POST", "endpoints", an_order(world), **headers)

    assert answer.status_code == 400
    assert answer.json()["title"] == "idempotency_key"


def test_gives_the_same_order_for_the_same_key(world: World) -> None:
    body, key = an_order(world), caller(world, "key")

    first = send(key, "POST", "endpoints", body, Idempotency_Key="abcdefgh-1")
    second = send(key, "POST", "endpoints", body, Idempotency_Key="abcdefgh-1")

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()


def test_refuses_the_same_key_for_another_order(world: World) -> None:
    body, key = an_order(world), caller(world, "key")
    send(key, "POST", "endpoints", body, Idempotency_Key="abcdefgh-1")

    answer = send(key, "POST", "endpoints", body | {"replicas": 2}, Idempotency_Key="abcdefgh-1")

    assert answer.status_code == 422
    assert answer.json()["title"] == "idempotency_mismatch"


def test_lets_another_organization_use_the_same_key(world: World) -> None:
    mallory = world.cast.mallory.may
    project = factories.project(mallory.organization, "zweites")
    body = an_order(world)
    first = send(caller(world, "key"), "POST", "endpoints", body, Idempotency_Key="abcdefgh-1")

    other = body | {"project": project.public_id}
    second = send(
        caller(world, "mallory"), "POST", "endpoints", other, Idempotency_Key="abcdefgh-1"
    )

    assert second.status_code == 201
    assert first.json()["id"] != second.json()["id"]


def test_pages_through_a_list_without_gap_or_repeat(world: World) -> None:
    for number in range(6):
        factories.api_key(world.cast.project, world.cast.alice.may, f"k{number}")
    key, seen = caller(world, "key"), []

    url = "/api/v1/keys?limit=3"
    while url:
        page = key.get(url).json()
        seen += [one["id"] for one in page["data"]]
        url = page["next"]

    with rls.tenant(world.cast.firm.pk):
        wanted = list(ApiKey.objects.order_by("-pk").values_list("public_id", flat=True))
    assert seen == wanted


@pytest.mark.parametrize(("limit", "count"), [("2", 2), ("1000", 200), ("0", 50), ("x", 50)])
def test_caps_the_limit_of_a_page(world: World, limit: str, count: int) -> None:
    with rls.tenant(world.cast.firm.pk):
        ApiKey.objects.bulk_create(
            ApiKey(
                public_id=f"key_{number}",
                organization=world.cast.firm,
                project=world.cast.project,
                name="k",
                public_part="x",
                sha256=f"{number:064}",
                created_by="x",
                created_at=factories.NOON,
            )
            for number in range(201)
        )

    page = caller(world, "key").get(f"/api/v1/keys?limit={limit}").json()

    assert len(page["data"]) == count


def cursor(text: str) -> str:
    return quote(b64encode(text.encode()).decode())


@pytest.mark.parametrize(
    "garbage",
    [
        "x",
        "%00",
        "%ff",
        cursor("p=abc"),
        cursor("p=" + "9" * 30),
        cursor("o=-1"),
        cursor("p=\x00"),
        cursor("o=99999999999999999999"),
        cursor("r=1&p=x"),
        cursor("o=x"),
    ],
)
def test_answers_garbage_for_a_cursor(world: World, garbage: str) -> None:
    answer = caller(world, "key").get(f"/api/v1/keys?cursor={garbage}")

    assert answer.status_code in {200, 404}


@pytest.mark.parametrize("month", ["2026-13", "0001-01", "9999-12", "x", "%00"])
def test_refuses_a_month_that_is_none(world: World, month: str) -> None:
    answer = caller(world, "key").get(f"/api/v1/usage?month={month}")

    assert answer.status_code == 400
    assert fields(answer) == {"month"}


def test_refuses_an_unknown_group(world: World) -> None:
    answer = caller(world, "key").get("/api/v1/usage?group=organization")

    assert answer.status_code == 400
    assert fields(answer) == {"group"}


def test_shows_the_same_sums_as_the_ledger(world: World) -> None:
    answer = caller(world, "key").get("/api/v1/usage?month=2026-11&group=site").json()

    assert [row["name"] for row in answer["data"]] == ["daegu-1"]
    assert answer["total"]["requests"] == answer["data"][0]["requests"] == 2
    assert answer["total"]["cost_micro_won"] == 30_000


@pytest.mark.parametrize(
    "path",
    ["projects/prj_x", "keys/key_x", "models/x", "sites/x", "endpoints/ep_x", "invoices/inv_x"],
)
def test_knows_nothing_of_unknown_ids(world: World, path: str) -> None:
    answer = caller(world, "key").get(f"/api/v1/{path}")

    assert answer.status_code == 404
    assert answer["Content-Type"] == PROBLEM


def test_revokes_a_key_once_and_for_all(world: World) -> None:
    """The second call by the revoked key itself is refused: it is nobody any more."""
    alice, path = caller(world, "alice"), f"keys/{world.key.public_id}"

    first = send(alice, "DELETE", path)
    second = send(alice, "DELETE", path)

    assert first.status_code == second.status_code == 204
    assert send(caller(world, "key"), "GET", "organization").status_code == 401


def test_describes_every_operation_in_its_schema(world: World) -> None:
    schema = caller(world, "anonymous").get("/api/v1/openapi.json").json()

    assert schema["openapi"].startswith("3.1")
    assert "/api/v1/endpoints" in schema["paths"]
    assert all(
        operation["description"]
        for methods in schema["paths"].values()
        for operation in methods.values()
    )
