"""An endpoint's page: its price of another size before the button, the change, its revisions."""

from __future__ import annotations

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from portal.deployments.actions import orders, rolling
from portal.deployments.models import Endpoint, Order, Placement
from portal.deployments.quoting import Wish
from portal.fleet.models import Site
from tenants import rls
from tests.api.callers import bearer, send
from tests.cast import browser
from tests.factories import CHAT
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
