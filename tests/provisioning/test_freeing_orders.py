"""A pause and an end against a site: told, watched, done once the site has stopped everything."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from portal.deployments import freed
from portal.deployments.actions import card_time, commitments, freeing, freeing_orders
from portal.deployments.models import FREEING, Endpoint, Order, Placement
from tenants import rls
from tests.deployments.conftest import Shop, shop
from tests.deployments.test_orders import counted
from tests.deployments.test_orders import place as order
from tests.factories import NOON
from tests.fakes.site import FakeSite
from tests.provisioning.test_reconcile import round_at, site

__all__ = ["shop", "site"]


def work(seconds: float) -> datetime:
    """A round of the site, then what the workers do each minute."""
    round_at(seconds)
    now = NOON + timedelta(seconds=seconds)
    card_time.accrue_all(now=now)
    commitments.repair(now=now)
    freeing.sweep(now=now)
    freeing_orders.sweep(now=now)
    return now


def look(shop: Shop, done: Order) -> tuple[str, list[tuple[str, bool]], str]:
    """The order's state, the sites that still stop, the replica's state."""
    with rls.tenant(shop.firm.pk):
        found = Order.objects.select_related("endpoint").get(pk=done.pk)
        stops = [(one.site.code, one.silent) for one in freed.stopping(found)]
        return found.state, stops, Placement.objects.get().state


@pytest.mark.parametrize("kind", FREEING)
def test_waits_for_a_silent_site_and_is_done_once_it_has_stopped(
    shop: Shop, site: FakeSite, kind: str
) -> None:
    order(shop)
    for seconds in (0, 30):
        round_at(seconds)
    site.away = True
    with rls.tenant(shop.firm.pk):
        done = freeing_orders.place(
            kind=kind,
            endpoint=Endpoint.objects.get(),
            idempotency_key="key-free",
            by=shop.alice,
            now=NOON + timedelta(seconds=30),
        )

    for seconds in (32, 50, 70):
        work(seconds)
    assert look(shop, done) == ("placed", [("daegu-1", True)], "ready")

    site.away = False
    for seconds in (90, 92, 94):
        work(seconds)
    assert look(shop, done) == ("fulfilled", [], "stopped")
    assert site.wanted is not None and site.wanted.placements == ()
    spent = counted(shop)
    assert spent == (12, 0)  # 30 s of ₩1,450 an hour: silence is not paid

    work(96)
    assert counted(shop) == spent
    assert order(shop, "key-second", name="zweiter").state == "fulfilled"
