"""Opening hours close and open an endpoint, with their money, beside what people do by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import Any

import pytest

from billing import budgets
from portal.deployments import schedules
from portal.deployments.actions import (
    card_time,
    changes,
    commitments,
    endpoints,
    freeing,
    opening,
)
from portal.deployments.models import Endpoint, Placement, ScaleStep, Schedule
from portal.deployments.requoting import Change
from portal.fleet.models import Site
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import rls
from tenants.models import Notice
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_changes import change, own, ready, stop_unwanted, wanted
from tests.deployments.test_commitments import committed
from tests.deployments.test_orders import REST_WON, counted
from tests.deployments.test_orders import place as order
from tests.deployments.test_rolling import SURGE_WON
from tests.deployments.test_schedules import ALWAYS, kst

CLOSES, OPENS = kst("2026-11-16T18:00"), kst("2026-11-17T09:00")
LATER = timedelta(seconds=7)
# from Monday noon: 6 hours today, then 10 business days
OFFICE_WON = ceil(1450 * (6 + 10 * 9))


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One replica runs in Daegu; from Monday noon it has office hours."""
    order(shop)
    ready(shop)
    put(shop, schedules.OFFICE)
    return shop


def put(shop: Shop, words: dict[str, Any] | None, now: datetime = factories.NOON) -> None:
    hours = schedules.read(words) if words else None
    opening.set_hours(endpoint=own(shop), hours=hours, by=shop.alice, now=now)
    follow(shop, now)


def follow(shop: Shop, now: datetime) -> int:
    """One turn, with what the sites make of it and what the money becomes."""
    Site.objects.update(observed_at=now)
    done = opening.sweep(now=now)
    ready(shop)
    stop_unwanted(shop, now)
    card_time.accrue_all(now=now)
    freeing.sweep(now=now)
    return done


def state(shop: Shop) -> tuple[str, bool]:
    with rls.tenant(shop.firm.pk):
        row = Schedule.objects.select_related("endpoint").get()
        return row.state, row.endpoint.paused_at is None


def test_sets_aside_what_it_opens_and_closes_and_opens_by_itself(shop: Shop) -> None:
    assert 0 <= counted(shop)[0] - OFFICE_WON <= 2
    assert state(shop) == ("open", True)

    assert follow(shop, CLOSES - LATER) == 0
    assert follow(shop, CLOSES + LATER) == 1
    assert (state(shop), wanted(shop)) == (("closed", False), 0)
    with rls.tenant(shop.firm.pk):
        assert Placement.objects.get().leaving_at == CLOSES  # no second later is paid
    assert 0 <= counted(shop)[0] - OFFICE_WON <= 2  # the hours still need all of it

    assert follow(shop, OPENS + LATER) == 1
    assert (state(shop), wanted(shop)) == (("open", True), 1)
    with rls.tenant(shop.firm.pk):
        assert Schedule.objects.get().changes_at == OPENS + timedelta(hours=9)
        steps = ScaleStep.objects.order_by("pk").values_list("before", "after", "because")
        assert list(steps) == [(1, 0, "closed"), (0, 1, "opened")]


def test_what_is_done_by_hand_stays_until_the_next_change(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        endpoints.pause(endpoint=own(shop), by=shop.alice, now=factories.NOON)
    follow(shop, factories.NOON)
    assert state(shop) == ("open", False)
    assert 0 <= counted(shop)[0] - 1450 * 90 <= 2  # today is free again
    follow(shop, CLOSES + LATER)

    late = CLOSES + timedelta(hours=1)
    Site.objects.update(observed_at=late)
    done = change(shop, "resume", key="key-late", now=late)
    assert done.committed_micro == 1450 * 14 * 1_000_000  # until it opens anyway
    follow(shop, late + LATER)
    assert state(shop) == ("closed", True)

    with rls.tenant(shop.firm.pk):
        assert opening.follow_now(endpoint=own(shop), by=shop.alice, now=late + LATER)
    follow(shop, late + LATER)
    assert state(shop) == ("closed", False)


def test_does_not_open_without_money_says_so_once_and_tries_again(shop: Shop) -> None:
    follow(shop, CLOSES + LATER)
    december = kst("2026-12-01T09:00") + LATER
    small = budgets.change(
        budget=shop.budget, limit_won=150_000, because="", by=shop.alice, now=december
    )
    for _turn in range(3):
        commitments.repair(now=december)
        follow(shop, december)
    assert state(shop) == ("closed", False)
    with rls.everyone(because="test"):
        assert Notice.objects.filter(kind="endpoint.no_money").count() == 1

    budgets.change(budget=small, limit_won=900_000, because="", by=shop.alice, now=december)
    follow(shop, december)

    assert state(shop) == ("open", True)
    seconds = schedules.open_seconds(
        schedules.read(schedules.OFFICE), december, Month(2026, 12).period.end
    )
    assert abs(committed(shop, Month(2026, 12)) - 1450 * seconds / 3600) <= 1


def test_does_not_open_where_there_is_no_room(shop: Shop) -> None:
    follow(shop, CLOSES + LATER)
    other = factories.endpoint(shop.project, "다른-곳")
    taken = [factories.placement(other, shop.daegu) for _each in range(2)]

    follow(shop, OPENS)
    assert state(shop) == ("closed", False)
    with rls.everyone(because="test"):
        assert Notice.objects.filter(kind="endpoint.no_room").count() == 1
        Placement.objects.filter(pk__in=[one.pk for one in taken]).update(wanted=False)

    follow(shop, OPENS + LATER)
    assert state(shop) == ("open", True)


def test_longer_hours_need_their_money_first(shop: Shop) -> None:
    now = factories.NOON
    small = budgets.change(
        budget=shop.budget, limit_won=OFFICE_WON + 50_000, because="", by=shop.alice, now=now
    )
    for words in (None, ALWAYS):
        with pytest.raises(budgets.BudgetExceeded):
            put(shop, words)
    assert state(shop) == ("open", True)
    budgets.change(budget=small, limit_won=2_000_000, because="", by=shop.alice, now=now)

    put(shop, None)

    assert abs(counted(shop)[0] - REST_WON) <= 1
    with rls.tenant(shop.firm.pk):
        assert not Schedule.objects.exists() and Endpoint.objects.get().may_run


def test_a_larger_size_sets_aside_what_the_hours_open(shop: Shop) -> None:
    done = change(shop, "resize", 2)

    assert done.committed_micro == OFFICE_WON * MICRO
    assert 0 <= counted(shop)[0] - 2 * OFFICE_WON <= 2


def test_another_form_sets_aside_what_the_hours_open_and_what_both_cost(shop: Shop) -> None:
    wish = Change("move", 2, region="busan")
    with rls.tenant(shop.firm.pk):
        seen, _project = changes.price(
            change=wish, endpoint=own(shop), by=shop.alice, now=factories.NOON
        )
    done = change(shop, "move", 2, region="busan")

    assert seen.priced.rest_of_month_micro == done.committed_micro
    assert done.committed_micro == (OFFICE_WON + SURGE_WON) * MICRO
    assert 0 <= counted(shop)[0] - (2 * OFFICE_WON + SURGE_WON) <= 2


def test_another_form_sets_aside_nothing_for_closed_hours(shop: Shop) -> None:
    friday, open_minutes = kst("2026-11-27T17:59"), 1 + 9 * 60  # of today, and on Monday
    Site.objects.update(observed_at=friday)

    done = change(shop, "move", 2, region="busan", now=friday)

    one, two = (ceil(replicas * 1450 * open_minutes / 60) for replicas in (1, 2))
    assert done.committed_micro == (two - one + SURGE_WON) * MICRO
