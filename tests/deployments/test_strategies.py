"""Blue-green and canary in the database: who gets which share, what is set aside, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.deployments.actions import changes, rolling, steering
from portal.deployments.fixes import Fix
from portal.deployments.models import Order, Placement
from portal.deployments.quoting import NoRoom
from portal.deployments.rollouts import Sample
from tenants import rls
from tests.deployments.conftest import Shop
from tests.deployments.test_changes import change, own
from tests.deployments.test_orders import REST_WON, counted
from tests.deployments.test_orders import place as order
from tests.deployments.test_rolling import SURGE_WON, answer, go_on, kinds, states, where
from tests.factories import NOON


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One replica in Daegu."""
    order(shop)
    answer(shop, "ready")
    return shop


def move(shop: Shop, strategy: str) -> Order:
    return change(shop, "move", 1, f"key-{strategy}", region="busan", strategy=strategy)


def weights(shop: Shop) -> dict[str, int]:
    with rls.tenant(shop.firm.pk):
        rows = Placement.objects.filter(wanted=True, leaving_at=None)
        return dict(rows.values_list("site__code", "weight"))


def steer(shop: Shop, what: str, seconds: int = 0) -> None:
    now = NOON + timedelta(seconds=seconds)
    with rls.tenant(shop.firm.pk):
        getattr(steering, what)(endpoint=own(shop), by=shop.alice, now=now)


def test_blue_green_changes_over_at_once_and_keeps_the_old_form_for_a_while(shop: Shop) -> None:
    move(shop, "blue_green")
    assert counted(shop) == (REST_WON + SURGE_WON, 0)

    go_on(shop, 0)
    answer(shop, "ready")
    go_on(shop, 10)  # not proved yet
    assert weights(shop) == {"daegu-1": 100, "busan-1": 0}
    go_on(shop, 20)
    assert weights(shop) == {"daegu-1": 0, "busan-1": 100}
    go_on(shop, 20 + 599)
    assert where(shop) == ["busan-1", "daegu-1"]
    go_on(shop, 20 + 600)
    go_on(shop, 20 + 631)

    assert where(shop) == ["busan-1"]
    assert kinds(shop) == ["begin", "add_new", "shift", "leave", "remove", "done"]
    assert states(shop) == ("done", "fulfilled")


def test_blue_green_is_taken_back_by_one_click(shop: Shop) -> None:
    move(shop, "blue_green")
    go_on(shop, 0)
    answer(shop, "ready")
    go_on(shop, 20)

    with rls.tenant(shop.firm.pk):
        assert rolling.roll_back(endpoint=own(shop), by=shop.alice, now=NOON)

    assert weights(shop) == {"daegu-1": 100, "busan-1": 0}  # before any worker comes
    go_on(shop, 30)
    go_on(shop, 61)
    assert (where(shop), states(shop)) == (["daegu-1"], ("rolled_back", "failed"))


def test_a_canary_gets_a_tenth_then_half_then_all(shop: Shop) -> None:
    move(shop, "canary")
    go_on(shop, 0)
    with pytest.raises(steering.NotThereYet):
        steer(shop, "go_on")
    answer(shop, "ready")

    go_on(shop, 20)
    assert weights(shop) == {"daegu-1": 100, "busan-1": 11}
    steer(shop, "hold", 30)
    go_on(shop, 20 + 601)
    assert weights(shop) == {"daegu-1": 100, "busan-1": 11}
    steer(shop, "go_on", 690)
    go_on(shop, 700)
    assert weights(shop) == {"daegu-1": 100, "busan-1": 100}
    go_on(shop, 1300)  # nobody asked anything: the time alone counts
    assert weights(shop) == {"daegu-1": 0, "busan-1": 100}
    go_on(shop, 1900)
    go_on(shop, 1931)

    assert kinds(shop)[2:] == [
        "shift",
        "hold",
        "go_on",
        "shift",
        "shift",
        "leave",
        "remove",
        "done",
    ]
    assert (weights(shop), states(shop)) == ({"busan-1": 100}, ("done", "fulfilled"))


def test_a_canary_falls_back_by_itself_at_half(shop: Shop) -> None:
    """What it answered at a smaller share excuses nothing."""
    move(shop, "canary")
    go_on(shop, 0)
    answer(shop, "ready")
    go_on(shop, 20)
    with rls.tenant(shop.firm.pk):
        new = Placement.objects.get(site=shop.busan).public_id
    go_on(shop, 321, {new: Sample(900, 0, [])})
    assert weights(shop) == {"daegu-1": 100, "busan-1": 100}

    go_on(shop, 322, {new: Sample(20, 4, [])})

    assert weights(shop) == {"daegu-1": 100}
    assert states(shop)[0] == "back"
    go_on(shop, 353)
    assert states(shop) == ("rolled_back", "failed")


def test_refuses_a_strategy_where_nothing_is_replaced(shop: Shop) -> None:
    with pytest.raises(changes.NoStrategy):
        change(shop, "resize", 2, strategy="canary")
    with pytest.raises(changes.NoStrategy):
        move(shop, "purple")
    with pytest.raises(steering.NothingToSteer):
        steer(shop, "hold")


def test_blue_green_needs_room_for_all_at_once(shop: Shop) -> None:
    with pytest.raises(NoRoom) as refused:
        change(shop, "move", 2, region="busan", strategy="blue_green")

    assert refused.value.fixes == (Fix("replicas", "1"),)
    assert change(shop, "move", 1, region="busan", strategy="blue_green").strategy == "blue_green"
