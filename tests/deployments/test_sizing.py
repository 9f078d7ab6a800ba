"""Replicas follow what the gateways see, within what is ordered, asleep and awake again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.deployments import queries
from portal.deployments.actions import (
    bounds,
    card_time,
    changes,
    endpoints,
    freeing,
    leaving,
    sizing,
)
from portal.deployments.actions.bounds import BadBounds, Wished
from portal.deployments.actions.sizing import Seen
from portal.deployments.models import Endpoint, Placement, Revision, ScaleStep, Scaling
from portal.fleet.models import Site
from portal.routing import sizing as routed
from portal.routing.demand import Demand, EndpointDemand, TargetDemand
from tenants import rls
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_changes import change, own, ready, stop_unwanted, wanted
from tests.deployments.test_orders import REST_WON, counted
from tests.deployments.test_orders import place as order
from tests.factories import NOON

SECOND = timedelta(seconds=1)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Two replicas are ordered, and one runs while nobody asks; 4 requests are much for one."""
    order(shop, replicas=2)
    ready(shop)
    choose(shop, 0)
    return shop


def choose(shop: Shop, least: int) -> None:
    with rls.tenant(shop.firm.pk):
        wished = Wished(least, per_replica=4, down_seconds=60, idle_seconds=600)
        bounds.set_bounds(endpoint=own(shop), wished=wished, by=shop.alice, now=NOON)


def look(shop: Shop, seconds: int, in_flight: int = 0, sleepers: int = 0) -> int:
    """One look at ``in_flight`` requests at the oldest replica; how many were changed."""
    Site.objects.update(observed_at=NOON + seconds * SECOND)
    with rls.tenant(shop.firm.pk):
        rows = Placement.objects.filter(state="ready", wanted=True).order_by("pk")
        names = rows.values_list("public_id", flat=True)[:1]
        targets = tuple(TargetDemand(one, in_flight, 0, 0) for one in names)
        asked = (EndpointDemand(own(shop).public_id, 0, sleepers),)
    demand = Demand("gw-1", 0, targets, asked)
    return routed.sweep([demand], now=NOON + seconds * SECOND)


def leave(shop: Shop, seconds: int) -> None:
    """The last requests of one replica have had their time."""
    leaving.sweep(now=NOON + seconds * SECOND)
    with rls.tenant(shop.firm.pk):
        assert Placement.objects.filter(state="stopping").update(state="stopped") == 1


def steps(shop: Shop) -> list[tuple[int, int, str, int]]:
    with rls.tenant(shop.firm.pk):
        rows = ScaleStep.objects.order_by("pk")
        return list(rows.values_list("before", "after", "because", "count"))


def status(shop: Shop) -> str:
    with rls.tenant(shop.firm.pk):
        return queries.status_of(own(shop), list(Placement.objects.all())).code


def test_goes_down_slowly_up_at_once_and_keeps_its_money(shop: Shop) -> None:
    aside = counted(shop)
    assert (look(shop, 0, 1), look(shop, 59, 1)) == (0, 0)
    assert look(shop, 60, 1) == 1
    with rls.tenant(shop.firm.pk):
        assert Placement.objects.filter(leaving_at=NOON + 60 * SECOND).count() == 1
    leave(shop, 800)
    assert wanted(shop) == 1

    assert look(shop, 810, 5) == 1
    assert look(shop, 812, 50) == 0  # never more than was ordered

    assert steps(shop) == [(2, 1, "quiet", 1), (1, 2, "busy", 5)]
    assert wanted(shop) == 2
    with rls.tenant(shop.firm.pk):
        Endpoint.objects.update(overcommitted=True)
        newest = Revision.objects.order_by("-number")[0]
        assert (newest.number, newest.least, newest.replicas) == (2, 0, 2)
    freeing.sweep(now=NOON)
    assert 2 * REST_WON - aside[0] <= 1
    assert 0 <= aside[0] - counted(shop)[0] <= 1  # to the micro-won, no longer rounded up


def test_sleeps_when_nobody_asks_and_the_first_request_wakes_it(shop: Shop) -> None:
    assert routed.sweep([], now=NOON + 700 * SECOND) == 0  # nobody tells: nothing is known
    look(shop, 599)
    assert status(shop) != "asleep"
    assert look(shop, 600) == 1
    stop_unwanted(shop, NOON + 600 * SECOND)
    assert (status(shop), wanted(shop)) == ("asleep", 0)
    assert look(shop, 700) == 0

    assert look(shop, 702, sleepers=1) == 1

    assert (status(shop), wanted(shop)) == ("waiting", 1)
    with rls.tenant(shop.firm.pk):
        Placement.objects.filter(state="wanted").update(
            state="ready", state_since=NOON + 709 * SECOND
        )
    look(shop, 710)
    with rls.tenant(shop.firm.pk):
        assert Endpoint.objects.get().asleep_since is None
        assert Scaling.objects.get().ready_seconds == 7
    assert [one[2] for one in steps(shop)][-1:] == ["woken"]


def test_says_once_that_there_is_no_room(shop: Shop) -> None:
    look(shop, 600)
    stop_unwanted(shop, NOON + 600 * SECOND)
    other = factories.endpoint(shop.project, "다른-곳")
    for _each in range(2):
        factories.placement(other, shop.daegu)

    for seconds in (700, 702, 704):
        assert look(shop, seconds, sleepers=1) == 0

    assert steps(shop)[1:] == [(0, 0, "no_room", 1)]


def test_a_number_by_hand_holds_for_its_hours(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        bounds.fix(endpoint=own(shop), replicas=1, hours=4, by=shop.alice, now=NOON)
    assert look(shop, 2, 50) == 1
    leave(shop, 800)
    assert look(shop, 4 * 3600 - 1, 50) == 0

    assert look(shop, 4 * 3600, 50) == 1

    assert [one[:3] for one in steps(shop)] == [(2, 1, "fixed"), (1, 2, "busy")]
    with rls.tenant(shop.firm.pk):
        bounds.fix(endpoint=own(shop), replicas=2, hours=1, by=shop.alice, now=NOON)
        assert bounds.release(endpoint=own(shop), by=shop.alice, now=NOON)
        assert not bounds.release(endpoint=own(shop), by=shop.alice, now=NOON)


def test_rests_while_replaced_paused_or_held(shop: Shop) -> None:
    change(shop, "move", 1, "key-move", region="busan")
    assert look(shop, 700) == 0
    with rls.tenant(shop.firm.pk):
        Endpoint.objects.update(overcommitted=True)
    assert freeing.sweep(now=NOON) == 0  # both forms need what is set aside
    with rls.tenant(shop.firm.pk):
        with pytest.raises(changes.Rolls):
            bounds.fix(endpoint=own(shop), replicas=1, hours=1, by=shop.alice, now=NOON)
        endpoints.pause(endpoint=own(shop), by=shop.alice, now=NOON)
    assert sizing.sweep(Seen(sleepers={own(shop).public_id: 3}), now=NOON) == 0
    stop_unwanted(shop, NOON + SECOND)
    card_time.accrue_all(now=NOON + SECOND)
    assert freeing.sweep(now=NOON + SECOND) == 1  # of what pauses without hours nothing stays
    assert change(shop, "resume", key="key-resume").replicas == 2
    assert wanted(shop) == 1  # the rest comes when it is asked for


@pytest.mark.parametrize(
    ("wished", "field"),
    [
        (Wished(3), "least"),
        (Wished(-1), "least"),
        (Wished(0, per_replica=1001), "per_replica"),
        (Wished(0, idle_seconds=59), "idle_seconds"),
    ],
)
def test_refuses_bounds_that_make_no_sense(shop: Shop, wished: Wished, field: str) -> None:
    with rls.tenant(shop.firm.pk), pytest.raises(BadBounds) as found:
        bounds.set_bounds(endpoint=own(shop), wished=wished, by=shop.alice, now=NOON)

    assert found.value.field == field
