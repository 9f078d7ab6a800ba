"""An endpoint's page: its price of another size before the button, the change, its revisions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone, translation

from bench.pages import Counted
from portal.deployments.actions import orders, placements, rolling
from portal.deployments.models import Endpoint, Order, Placement
from portal.deployments.quoting import Wish
from portal.fleet.models import Site
from portal.web import site_reasons
from tenants import rls
from tests.api.callers import bearer, send
from tests.cast import browser
from tests.factories import CHAT, ledger_entry
from tests.web.conftest import World

ENGLISH = {"accept-language": "en"}


def ordered(world: World) -> Endpoint:
    Site.objects.update(observed_at=timezone.now())
    order = orders.place(
        wish=Wish("주문", CHAT, "daegu", 1),
        project=world.cast.project,
        idempotency_key="key-00001",
        by=world.cast.bob.may,
        now=timezone.now(),
    )
    assert order.endpoint is not None
    return order.endpoint


def test_shows_the_price_of_a_change_then_changes_then_pauses(world: World) -> None:
    endpoint, bob = ordered(world), browser(world.cast.bob)
    place = reverse("endpoint", args=[endpoint.public_id])
    estimate = reverse("endpoint_change_estimate", args=[endpoint.public_id])

    assert "Revision 1" in bob.get(place, headers=ENGLISH).content.decode()
    none = bob.get(estimate, {"kind": "resize", "replicas": "9" * 30}, headers=ENGLISH)
    assert "Choose 1 to 8 replicas." in none.content.decode()
    same = bob.get(estimate, {"kind": "resize", "replicas": "1"}, headers=ENGLISH)
    assert "It is so already." in same.content.decode()
    bob.post(reverse("endpoint_pause", args=[endpoint.public_id]))
    resumed = bob.get(estimate, {"kind": "resume", "replicas": "1"}, headers=ENGLISH)
    assert "₩0 → ₩1,450" in resumed.content.decode()
    shown = bob.get(place, headers=ENGLISH).content.decode()
    assert "Resume for this price" in shown and "Paused" in shown

    bob.post(
        reverse("endpoint_change", args=[endpoint.public_id]),
        {"kind": "resume", "replicas": "1", "idempotency_key": "key-00002"},
    )

    shown = bob.get(place, headers=ENGLISH).content.decode()
    assert "Revision 2" in shown and "Pause the endpoint" in shown
    with rls.tenant(world.cast.firm.pk):
        assert Order.objects.get(kind="resume").state == "fulfilled"


def test_shows_both_forms_while_a_canary_is_watched_and_may_hold_it(world: World) -> None:
    endpoint, bob = ordered(world), browser(world.cast.bob)
    place = reverse("endpoint", args=[endpoint.public_id])
    wish = {"kind": "move", "replicas": "1", "apart": "on", "idempotency_key": "key-00002"}
    since = timezone.now() - timedelta(minutes=1)
    with rls.tenant(world.cast.firm.pk):
        endpoint.placements.update(state="ready", state_since=since)
    bob.post(reverse("endpoint_change", args=[endpoint.public_id]), wish | {"strategy": "canary"})
    for _twice in range(2):
        for pk, organization in rolling.due():
            rolling.advance(pk, organization, {}, marks={}, now=timezone.now())
        with rls.tenant(world.cast.firm.pk):
            Placement.objects.filter(weight=0).update(state="ready", state_since=since)

    shown = bob.get(place, headers=ENGLISH).content.decode()
    assert "A tenth of the requests" in shown and "90 %" in shown and "10 %" in shown
    assert "50 % of the requests go to the new form." in shown and "Not before" in shown
    assert "Too few answers to judge by yet" in shown and "Go on now" in shown
    bob.post(reverse("endpoint_hold", args=[endpoint.public_id]))
    assert "Held by hand." in bob.get(place, headers=ENGLISH).content.decode()

    program, operation = bearer(world.secret), f"endpoints/{endpoint.public_id}/rollout"
    told = send(program, "GET", operation).json()
    assert (told["strategy"], told["progress"]["held"]) == ("canary", True)
    assert [one["share"] for one in told["progress"]["forms"]] == [90, 10]
    assert told["progress"]["next"]["share"] == 50
    gone_on = send(program, "PATCH", operation, {"action": "go_on"}).json()
    assert gone_on["progress"]["next"] == {"what": "shift", "at": None, "share": 50}


@pytest.mark.parametrize(
    ("because", "korean"),
    [
        (
            "The engine ended with signal SIGKILL. Started again in 4 s.",
            "엔진이 끝났습니다(신호 SIGKILL). 4초 뒤에 다시 시작합니다.",
        ),
        (
            "The engine did not answer within 120 s. Started again in 1 s.",
            "엔진이 120초 안에 응답하지 않았습니다. 1초 뒤에 다시 시작합니다.",
        ),
        ("The engine answers.", "엔진이 응답합니다."),
        ("CUDA out of memory.", "CUDA out of memory."),
        ("", ""),
    ],
)
def test_tells_a_sites_reason_in_the_readers_language(because: str, korean: str) -> None:
    with translation.override("ko"):
        assert site_reasons.words(because) == korean


def test_shows_a_replica_going_until_its_site_has_stopped_it(world: World) -> None:
    endpoint, bob = ordered(world), browser(world.cast.bob)
    place, status = (
        reverse(name, args=[endpoint.public_id]) for name in ("endpoint", "endpoint_status")
    )
    with rls.tenant(world.cast.firm.pk):
        endpoint.placements.update(state="ready", because="The engine answers.")
        going = placements.want(
            endpoint=endpoint,
            site=Site.objects.get(code="daegu-1"),
            offering=endpoint.placements.get().offering,
            now=timezone.now(),
        )
        Placement.objects.filter(pk=going.pk).update(state="ready", wanted=False)

    shown = bob.get(place, headers=ENGLISH).content.decode()
    assert "1 of 1 replicas ready" in shown and "Being stopped" in shown
    assert "every 2s" in shown and "HX-Refresh" not in bob.get(status).headers

    with rls.tenant(world.cast.firm.pk):
        Placement.objects.filter(pk=going.pk).update(state="stopped")
    shown = bob.get(place, headers=ENGLISH).content.decode()
    assert "Being stopped" not in shown and "every 2s" not in shown
    assert bob.get(status).headers["HX-Refresh"] == "true"


def test_names_chips_sites_and_regions_in_the_readers_language(world: World) -> None:
    with translation.override("ko"):  # whoever orders reads Korean
        endpoint = ordered(world)
    bob = browser(world.cast.bob)
    place = reverse("endpoint", args=[endpoint.public_id])
    wish = {"kind": "move", "replicas": "1", "apart": "on", "idempotency_key": "key-00003"}
    form = {"model": CHAT, "region": "daegu", "replicas": "1"}

    estimate = bob.get(reverse("endpoint_estimate"), form, headers=ENGLISH).content.decode()
    bob.post(reverse("endpoint_change", args=[endpoint.public_id]), wish)
    shown = bob.get(place, headers=ENGLISH).content.decode()

    assert "RNGD × 1" in estimate and "<dd>Site daegu-1</dd>" in estimate
    assert "A new endpoint with 1 replica on RNGD." in shown and "RNGD × 1" in shown
    assert "Region: Daegu → Any that the project allows" in shown
    assert ">Ordered.<" in shown


def test_offers_no_other_change_while_replicas_are_replaced(world: World) -> None:
    endpoint, bob = ordered(world), browser(world.cast.bob)
    place = reverse("endpoint", args=[endpoint.public_id])
    wish = {"kind": "move", "replicas": "1", "apart": "on", "idempotency_key": "key-00004"}
    before = bob.get(place, headers=ENGLISH).content.decode()

    bob.post(reverse("endpoint_change", args=[endpoint.public_id]), wish)
    during = bob.get(place, headers=ENGLISH).content.decode()

    assert "Order the change" in before and "no other change can be ordered" not in before
    assert "Order the change" not in during and "no other change can be ordered" in during
    assert "Back to this form" not in during and "Pause the endpoint" in during


def test_shows_what_it_was_asked_lately_and_what_it_has_used(world: World) -> None:
    endpoint, bob = ordered(world), browser(world.cast.bob)
    now = timezone.now()
    for site, minutes, outcome in (
        ("daegu-1", 1, "answered"),
        ("daegu-1", 2, "client_left"),
        ("gwangju-1", 90, "site_failed"),
        ("daegu-1", 60 * 25, "answered"),  # longer ago
    ):
        at = now - timedelta(minutes=minutes)
        fields = {"endpoint": endpoint.public_id, "site": site, "outcome": outcome}
        ledger_entry(world.cast.project, at=at, **fields)
    ledger_entry(world.cast.project, at=now)  # to another endpoint
    operation, asked = f"endpoints/{endpoint.public_id}/traffic", Counted()

    with connection.execute_wrapper(asked):
        shown = bob.get(
            reverse("endpoint_traffic", args=[endpoint.public_id]), headers=ENGLISH
        ).content.decode()
    told = send(bearer(world.secret), "GET", operation).json()

    assert "<dt>Requests</dt><dd>3</dd>" in shown and "cut short</dt><dd>1</dd>" in shown
    assert "<dt>Site daegu-1</dt><dd>2</dd>" in shown and "<dt>gwangju-1</dt><dd>1</dd>" in shown
    assert (told["requests"], told["failed"]) == (3, 1)
    assert sum(one["requests"] for one in told["hours"] if one["site"] == "daegu-1") == 2
    assert told["used_micro"] > 0 and "Used this month" in shown
    assert len(asked.queries) <= 15
