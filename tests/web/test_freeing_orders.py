"""A pause and the end of an endpoint on its page and by API: seen, ordered, watched, repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from bench.pages import Counted
from portal.deployments.actions import card_time, freeing, freeing_orders
from portal.deployments.models import FREEING, Endpoint, Order, Placement
from portal.deployments.states import move_placement
from portal.fleet.models import Site
from portal.lib import ids
from tenants import rls
from tenants.models import OperatorHold
from tests.api.callers import caller, send
from tests.cast import browser
from tests.web.conftest import World
from tests.web.test_endpoint_changes import ENGLISH, ordered

KINDS = pytest.mark.parametrize("kind", FREEING)
LATER = timedelta(hours=1)


@pytest.fixture
def endpoint(world: World) -> Endpoint:
    """Ordered, with one replica that answers."""
    found = ordered(world)
    with rls.tenant(world.cast.firm.pk):
        for one in found.placements.all():
            move_placement(one, "ready", because="Test.", now=timezone.now())
    return found


def page(client: Client, name: str, endpoint: Endpoint, **query: str) -> str:
    answer = client.get(reverse(name, args=[endpoint.public_id]), query, headers=ENGLISH)
    assert answer.status_code == 200
    return str(answer.content.decode())


def silent(world: World, trouble: str) -> None:
    since = timezone.now() if trouble else None
    Site.objects.update(trouble=trouble, trouble_since=since)


def stop_all(world: World) -> None:
    with rls.tenant(world.cast.firm.pk):
        for one in Placement.objects.filter(wanted=False).living():
            move_placement(one, "stopping", because="Test.", now=timezone.now())
            move_placement(one, "stopped", because="Test.", now=timezone.now())


def queries(ask: Callable[[], object]) -> int:
    counted = Counted()
    with connection.execute_wrapper(counted):
        ask()
    return len(counted.queries)


@KINDS
def test_shows_what_it_frees_then_its_steps_until_it_is_done(
    world: World, endpoint: Endpoint, kind: str
) -> None:
    bob = browser(world.cast.bob)
    shown = page(bob, "endpoint_change_estimate", endpoint, kind=kind)
    assert "₩1,450" in shown and "Free again, about" in shown
    assert ("Lost with it:" in shown) == (kind == "delete")
    with rls.tenant(world.cast.firm.pk):
        assert not Order.objects.filter(kind=kind).exists()

    name = "endpoint_pause" if kind == "pause" else "endpoint_stop"
    body = {"name": endpoint.name, "idempotency_key": "key-free-1"}
    for _twice in range(2):
        bob.post(reverse(name, args=[endpoint.public_id]), body)

    with rls.tenant(world.cast.firm.pk):
        order = Order.objects.get(kind=kind)
    steps = page(bob, "endpoint_status", endpoint)
    assert "1 replica is being stopped." in steps and "Their card time is counted" in steps
    silent(world, "The site is away.")
    assert "The site is silent: The site is away." in page(bob, "endpoint_status", endpoint)
    silent(world, "")
    stop_all(world)
    card_time.accrue_all(now=timezone.now() + LATER)
    assert "What was not used is free again" in page(bob, "endpoint_status", endpoint)
    freeing.sweep(now=timezone.now())
    freeing_orders.sweep(now=timezone.now())
    done = page(bob, "endpoint", endpoint)
    assert order.public_id in done and "all replicas have stopped, and their time is coun" in done
    assert "What was not used is free again" not in done


@KINDS
def test_programs_see_order_and_repeat_it(world: World, endpoint: Endpoint, kind: str) -> None:
    key, place = caller(world, "key"), f"endpoints/{endpoint.public_id}/changes"
    body = {"kind": kind}

    seen = send(key, "POST", f"{place}?estimate=true", body).json()
    first = send(key, "POST", place, body, Idempotency_Key="abcdefgh-1")
    again = send(key, "POST", place, body, Idempotency_Key="abcdefgh-1")
    other = send(key, "POST", place, {"kind": "resize"}, Idempotency_Key="abcdefgh-1")
    late = send(key, "POST", place, body, Idempotency_Key="abcdefgh-2")

    assert (seen["replicas"], seen["cards"], seen["won_per_hour"]) == (1, 1, 1450)
    assert (seen["lost"] is None) == (kind == "pause")
    assert (first.status_code, again.json()) == (201, first.json())
    told = first.json()
    assert (told["kind"], told["state"], told["won_per_hour_before"]) == (kind, "placed", 1450)
    assert (other.status_code, other.json()["title"]) == (422, "idempotency_mismatch")
    assert (late.status_code, late.json()["title"]) == (409, "nothing_changes")
    assert send(key, "POST", place, body).status_code == 400
    with rls.tenant(world.cast.firm.pk):
        assert Order.objects.filter(kind=kind).count() == 1


@KINDS
def test_the_old_operations_answer_as_before_and_name_the_order(
    world: World, endpoint: Endpoint, kind: str
) -> None:
    key, method = caller(world, "key"), "POST" if kind == "pause" else "DELETE"
    place = f"endpoints/{endpoint.public_id}" + ("/pause" if kind == "pause" else "")

    first, again = send(key, method, place), send(key, method, place)
    keyed = send(key, method, place, Idempotency_Key="abcdefgh-1")

    assert [one.status_code for one in (first, again, keyed)] == [200] * 3
    told = first.json()
    assert told["id"] == endpoint.public_id
    assert told["status"] == ("pausing" if kind == "pause" else "stopping")
    assert told["order"] == again.json()["order"] == keyed.json()["order"]
    silent(world, "The site is away.")
    order = send(key, "GET", f"orders/{told['order']}").json()
    assert [one["to_state"] for one in order["moves"]] == ["placed"]
    assert order["stopping"] == [
        {"site": world.site.code, "replicas": 1, "silent": True, "trouble": "The site is away."}
    ]
    listed = send(key, "GET", "orders").json()["data"][0]
    assert (listed["id"], listed["kind"]) == (told["order"], kind)
    assert listed["sentence"]


def test_a_sentence_is_in_the_readers_language(world: World, endpoint: Endpoint) -> None:
    key = caller(world, "key")
    order = send(key, "POST", f"endpoints/{endpoint.public_id}/pause").json()["order"]

    ko, en = (
        send(key, "GET", f"orders/{order}", Accept_Language=language).json()["sentence"]
        for language in ("ko", "en")
    )

    assert en == "A pause: its replicas are being stopped."
    assert ko == "일시 중지: 복제본을 멈추고 있습니다."


@KINDS
@pytest.mark.parametrize("who", ["foreign-key", "mallory", "olivia"])
def test_a_stranger_finds_neither_endpoint_nor_order(
    world: World, endpoint: Endpoint, kind: str, who: str
) -> None:
    place = f"endpoints/{endpoint.public_id}/changes"
    stranger = caller(world, who)

    tried = send(stranger, "POST", place, {"kind": kind}, Idempotency_Key="abcdefgh-1")
    with rls.tenant(world.cast.firm.pk):
        order = Order.objects.get(kind="create").public_id

    assert tried.status_code == 404
    assert send(stranger, "GET", f"orders/{order}").status_code == 404
    with rls.tenant(world.cast.firm.pk):
        assert Endpoint.objects.get(pk=endpoint.pk).may_run


@pytest.mark.parametrize("who", ["carol", "dan"])
def test_who_may_not_change_endpoints_may_not_free_them(
    world: World, endpoint: Endpoint, who: str
) -> None:
    place = f"endpoints/{endpoint.public_id}/changes"

    tried = send(caller(world, who), "POST", place, {"kind": "pause"}, Idempotency_Key="abcdefgh-1")

    assert tried.status_code == 403


@KINDS
def test_a_suspended_organization_frees_by_page_and_by_session(
    world: World, endpoint: Endpoint, kind: str
) -> None:
    with rls.everyone(because="test"):
        OperatorHold.objects.create(
            public_id=ids.mint("hold"),
            organization=world.cast.firm,
            because="요금이 밀렸습니다.",
            held_at=timezone.now(),
            held_by="오운영",
        )
    name = "endpoint_pause" if kind == "pause" else "endpoint_stop"
    place = f"endpoints/{endpoint.public_id}/changes"

    browser(world.cast.bob).post(reverse(name, args=[endpoint.public_id]), {"name": endpoint.name})

    with rls.tenant(world.cast.firm.pk):
        assert Order.objects.get(kind=kind).state == "placed"
        Endpoint.objects.filter(pk=endpoint.pk).update(paused_at=None, stopped_at=None)
    again = send(caller(world, "bob"), "POST", place, {"kind": kind}, Idempotency_Key="abcdefgh-1")
    assert again.status_code == 201


def test_asks_the_database_no_more_than_fifteen_times(world: World, endpoint: Endpoint) -> None:
    bob, key = browser(world.cast.bob), caller(world, "key")
    place = f"endpoints/{endpoint.public_id}"
    seen = {"kind": "delete"}
    page(bob, "endpoint", endpoint)
    send(key, "POST", f"endpoints/{world.endpoint.public_id}/pause")  # the log knows the key
    found = {
        "free": queries(lambda: page(bob, "endpoint_change_estimate", endpoint, kind="delete")),
        "seen": queries(lambda: send(key, "POST", f"{place}/changes?estimate=true", seen)),
        "page": queries(lambda: page(bob, "endpoint", endpoint)),
        "pause": queries(lambda: send(key, "POST", f"{place}/pause")),
        "pausing": queries(lambda: page(bob, "endpoint", endpoint)),
        "status": queries(lambda: page(bob, "endpoint_status", endpoint)),
        "again": queries(lambda: send(key, "POST", f"{place}/pause")),
        "orders": queries(lambda: send(key, "GET", "orders")),
        "delete": queries(lambda: send(key, "DELETE", place)),
        "deleted": queries(lambda: send(key, "DELETE", place)),
    }
    order = send(key, "DELETE", place).json()["order"]
    found["order"] = queries(lambda: send(key, "GET", f"orders/{order}"))

    assert {name: count for name, count in found.items() if count > 15} == {}, found


@KINDS
def test_the_button_asks_the_database_no_more_than_fifteen_times(
    world: World, endpoint: Endpoint, kind: str
) -> None:
    bob = browser(world.cast.bob)
    page(bob, "endpoint", endpoint)
    name = "endpoint_pause" if kind == "pause" else "endpoint_stop"
    body = {"name": endpoint.name, "idempotency_key": "key-free-1"}

    count = queries(lambda: bob.post(reverse(name, args=[endpoint.public_id]), body))

    with rls.tenant(world.cast.firm.pk):
        assert Order.objects.filter(kind=kind).count() == 1
    assert count <= 15


@pytest.mark.parametrize(
    ("change", "most"),
    [
        ({"kind": "resize", "replicas": 2}, 22),
        ({"kind": "move", "replicas": 1, "apart": True}, 21),
    ],
)
def test_a_price_asks_the_database_no_more_than_before(
    world: World, endpoint: Endpoint, change: dict[str, Any], most: int
) -> None:
    """More than fifteen: it looks at every site's room by the prices and terms of one moment."""
    bob, key = browser(world.cast.bob), caller(world, "key")
    place = f"endpoints/{endpoint.public_id}/changes?estimate=true"
    page(bob, "endpoint", endpoint)
    send(key, "GET", "orders")
    words = {name: str(value) for name, value in change.items()}

    by_page = queries(lambda: page(bob, "endpoint_change_estimate", endpoint, **words))
    by_key = queries(lambda: send(key, "POST", place, change))

    assert (by_page <= most, by_key <= most - 2) == (True, True), (by_page, by_key)
