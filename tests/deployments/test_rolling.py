"""Rollouts in the database: step by step, with their money, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import budgets
from portal.deployments import rollouts
from portal.deployments.actions import card_time, changes, endpoints, freeing, rolling
from portal.deployments.models import (
    Endpoint,
    Order,
    Placement,
    Revision,
    Rollout,
    RolloutStep,
)
from portal.deployments.requoting import NothingChanges
from portal.deployments.rollouts import Sample
from portal.deployments.states import move_placement
from tenants import rls
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_changes import change, own
from tests.deployments.test_orders import REST_WON, counted
from tests.deployments.test_orders import place as order
from tests.factories import NOON

SURGE_WON = 1450 * 3  # one replica more for three hours at most


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One replica in Daegu, on its way to Busan."""
    order(shop)
    answer(shop, "ready")
    move(shop)
    return shop


def move(shop: Shop, key: str = "key-move") -> Order:
    return change(shop, "move", 1, key, region="busan")


def answer(shop: Shop, state: str) -> None:
    """What the sites say of what they were asked for; what is not wanted stops."""
    with rls.tenant(shop.firm.pk):
        for one in Placement.objects.filter(state="wanted"):
            move_placement(one, state, because="Test.", now=NOON)
        for one in Placement.objects.filter(wanted=False).exclude(state="stopped"):
            move_placement(one, "stopping", because="Test.", now=NOON)
            move_placement(one, "stopped", because="Test.", now=NOON)


def go_on(shop: Shop, seconds: int, samples: dict[str, Sample] | None = None) -> None:
    marks = {"gw-1": seconds} if samples else {}
    for pk, organization in rolling.due():
        rolling.advance(
            pk, organization, samples or {}, marks=marks, now=NOON + timedelta(seconds=seconds)
        )


def kinds(shop: Shop) -> list[str]:
    with rls.tenant(shop.firm.pk):
        return list(RolloutStep.objects.values_list("kind", flat=True))


def where(shop: Shop) -> list[str]:
    with rls.tenant(shop.firm.pk):
        rows = Placement.objects.filter(wanted=True).exclude(state="stopped")
        return sorted(rows.values_list("site__code", flat=True))


def states(shop: Shop) -> tuple[str, str]:
    with rls.tenant(shop.firm.pk):
        return Rollout.objects.get().state, Order.objects.get(kind="move").state


def test_moves_replica_by_replica_and_sets_both_forms_aside(shop: Shop) -> None:
    assert counted(shop) == (REST_WON + SURGE_WON, 0)
    assert states(shop) == ("running", "placed")

    go_on(shop, 0)
    assert where(shop) == ["busan-1", "daegu-1"]
    with pytest.raises(changes.Rolls):
        change(shop, "resize", 2)
    answer(shop, "ready")
    go_on(shop, 10)  # not proved yet
    go_on(shop, 20)
    with rls.tenant(shop.firm.pk):
        assert Placement.objects.exclude(leaving_at=None).get().site == shop.daegu
    go_on(shop, 50)

    assert where(shop) == ["busan-1"]
    assert kinds(shop) == ["begin", "add_new", "leave", "remove", "done"]
    assert states(shop) == ("done", "fulfilled")
    answer(shop, "ready")
    card_time.accrue_all(now=NOON)
    assert freeing.sweep(now=NOON) == 1
    assert counted(shop) == (REST_WON - 1, 0)  # to the micro-won, no longer rounded up
    with pytest.raises(NothingChanges):
        change(shop, "move", 1, "key-again", region="busan", chip="rngd")


def test_a_worker_that_repeats_everything_does_no_harm(shop: Shop) -> None:
    for _twice in range(3):
        go_on(shop, 0)

    assert kinds(shop) == ["begin", "add_new"]
    assert where(shop) == ["busan-1", "daegu-1"]


def test_goes_back_by_itself_when_the_new_one_fails(shop: Shop) -> None:
    go_on(shop, 0)
    answer(shop, "failed")
    go_on(shop, 31)

    assert where(shop) == ["daegu-1"]
    assert kinds(shop) == ["begin", "add_new", "roll_back", "remove", "rolled_back"]
    assert states(shop) == ("rolled_back", "failed")
    with rls.tenant(shop.firm.pk):
        newest = Revision.objects.order_by("-number")[0]
        assert (newest.number, newest.regions) == (3, ["daegu"])
        assert Endpoint.objects.get().overcommitted


def test_looks_for_room_for_ten_minutes_and_then_goes_back(shop: Shop) -> None:
    other = factories.placement(factories.endpoint(shop.project, "ep_other"), shop.busan)
    go_on(shop, 0)
    go_on(shop, 100)

    assert kinds(shop) == ["begin", "no_room"]  # noted once, since when
    go_on(shop, 599)
    assert (where(shop), states(shop)[0]) == (["busan-1", "daegu-1"], "running")
    go_on(shop, 600)
    assert states(shop) == ("rolled_back", "failed")
    with rls.tenant(shop.firm.pk):
        assert Rollout.objects.get().because == rollouts.NO_ROOM
        assert Placement.objects.filter(wanted=True, site=shop.busan).get() == other


def test_room_that_comes_in_time_is_taken_and_the_wait_forgotten(shop: Shop) -> None:
    other = factories.placement(factories.endpoint(shop.project, "ep_other"), shop.busan)
    go_on(shop, 0)
    with rls.tenant(shop.firm.pk):
        Placement.objects.filter(pk=other.pk).update(wanted=False, state="stopped")

    go_on(shop, 300)
    go_on(shop, 899)

    assert kinds(shop) == ["begin", "no_room", "add_new"]
    assert (where(shop), states(shop)[0]) == (["busan-1", "daegu-1"], "running")


def test_goes_back_when_the_gateways_see_errors(shop: Shop) -> None:
    go_on(shop, 0)
    answer(shop, "ready")
    with rls.tenant(shop.firm.pk):
        new = Placement.objects.get(site=shop.busan).public_id
    for _twice in range(2):
        go_on(shop, 1, {new: Sample(15, 5, [])})  # the same second counts once
    assert states(shop)[0] == "running"

    go_on(shop, 2, {new: Sample(15, 5, [])})

    assert states(shop)[0] == "back"


def test_a_pause_gives_the_rollout_up(shop: Shop) -> None:
    go_on(shop, 0)
    with rls.tenant(shop.firm.pk):
        endpoints.pause(endpoint=own(shop), by=shop.alice, now=NOON)

    assert states(shop) == ("abandoned", "failed")
    assert (rolling.due(), where(shop)) == ([], [])
    answer(shop, "ready")
    assert change(shop, "resume", key="key-resume").region == "daegu"


def test_rolls_back_by_hand_once(shop: Shop) -> None:
    go_on(shop, 0)
    with rls.tenant(shop.firm.pk):
        assert rolling.roll_back(endpoint=own(shop), by=shop.alice, now=NOON)
        assert not rolling.roll_back(endpoint=own(shop), by=shop.alice, now=NOON)

    go_on(shop, 1)

    assert where(shop) == ["daegu-1"]
    assert budgets.standing(shop.budget, shop.firm, now=NOON).held == 0
