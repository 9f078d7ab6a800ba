"""Changing an endpoint: priced as a whole, held for what is more, freed for what is less."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import budgets
from portal.deployments import queries, quoting, requoting
from portal.deployments.actions import (
    card_time,
    changes,
    commitments,
    endpoints,
    freeing,
    orders,
)
from portal.deployments.models import Endpoint, Order, Placement, Revision
from portal.deployments.requoting import Change
from portal.deployments.states import move_placement
from portal.fleet.models import Card
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import rls
from tenants.actors import NotAllowed
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_approved_orders import rule_by_officers, sign
from tests.deployments.test_commitments import DECEMBER, DECEMBER_WON, LATER, committed
from tests.deployments.test_orders import REST_WON, counted
from tests.deployments.test_orders import place as order
from tests.factories import NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """With one replica running in Daegu."""
    order(shop)
    ready(shop)
    return shop


def ready(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        for one in Placement.objects.filter(state="wanted"):
            move_placement(one, "ready", because="Test.", now=NOON)


def stop_unwanted(shop: Shop, at: Any) -> None:
    with rls.tenant(shop.firm.pk):
        for one in Placement.objects.filter(wanted=False).exclude(state="stopped"):
            move_placement(one, "stopping", because="Test.", now=at)
            move_placement(one, "stopped", because="Test.", now=at)


def own(shop: Shop) -> Endpoint:
    with rls.tenant(shop.firm.pk):
        return Endpoint.objects.select_related("project").earliest("pk")


def change(shop: Shop, kind: str, replicas: int = 0, key: str = "key-change", **more: Any) -> Order:
    by, now = more.pop("by", shop.alice), more.pop("now", NOON)
    return changes.place(
        change=Change(kind, replicas, **more),
        endpoint=own(shop),
        idempotency_key=key,
        by=by,
        now=now,
    )


def pause(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        endpoints.pause(endpoint=Endpoint.objects.get(), by=shop.alice, now=NOON)


def wanted(shop: Shop) -> int:
    with rls.tenant(shop.firm.pk):
        return Placement.objects.filter(wanted=True).exclude(state="stopped").count()


def test_more_replicas_cost_their_difference_and_come_once(shop: Shop) -> None:
    done = change(shop, "resize", 2)

    assert change(shop, "resize", 2) == done
    assert (done.kind, done.state, done.cards) == ("resize", "fulfilled", 2)
    assert (done.won_per_hour_before, done.won_per_hour) == (1450, 2900)
    assert done.committed_micro == REST_WON * MICRO
    assert counted(shop) == (2 * REST_WON, 0)
    assert wanted(shop) == 2
    with rls.tenant(shop.firm.pk):
        assert list(Revision.objects.order_by("number").values_list("number", "replicas")) == [
            (1, 1),
            (2, 2),
        ]


def test_looking_at_the_price_changes_nothing(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        found, _project = changes.price(
            change=Change("resize", 2), endpoint=own(shop), by=shop.alice, now=NOON
        )

    assert (found.more_per_hour, found.more_per_month) == (1450, 1450 * 744)
    assert (counted(shop), wanted(shop)) == ((REST_WON, 0), 1)


def test_fewer_replicas_free_their_money_once_their_time_is_counted(shop: Shop) -> None:
    change(shop, "resize", 2)
    ready(shop)
    done = change(shop, "resize", 1, "key-fewer", now=NOON + HOUR)

    assert (done.committed_micro, wanted(shop)) == (0, 1)
    assert freeing.sweep(now=NOON + HOUR) == 0  # it still runs
    stop_unwanted(shop, NOON + 2 * HOUR)
    assert freeing.sweep(now=NOON + 2 * HOUR) == 0  # its time is not in the ledger yet
    card_time.accrue_all(now=NOON + 2 * HOUR)
    assert [freeing.sweep(now=NOON + 2 * HOUR) for _ in range(2)] == [1, 0]

    # two replicas until then, one until the month's end
    assert counted(shop) == (REST_WON - 1 + 2 * 1450, 0)


def test_a_pause_frees_cards_and_money_and_keeps_the_name(shop: Shop) -> None:
    pause(shop)
    pause(shop)
    stop_unwanted(shop, NOON + HOUR)
    card_time.accrue_all(now=NOON + HOUR)
    freeing.sweep(now=NOON + HOUR)

    assert counted(shop) == (1450, 0)
    with rls.tenant(shop.firm.pk):
        assert queries.status_of(own(shop), Placement.objects.all()).code == "paused"
    with pytest.raises(orders.NameTaken):
        order(shop, "key-second")
    assert order(shop, "key-second", name="zweiter", replicas=2).state == "fulfilled"


def test_resumes_with_its_money_set_aside_anew(shop: Shop) -> None:
    pause(shop)
    with pytest.raises(changes.Paused):
        change(shop, "resize", 2)
    stop_unwanted(shop, NOON)
    card_time.accrue_all(now=NOON + HOUR)
    freeing.sweep(now=NOON)

    done = change(shop, "resume")

    assert (done.won_per_hour_before, done.won_per_hour) == (0, 1450)
    assert (counted(shop), wanted(shop)) == ((REST_WON, 0), 1)
    with pytest.raises(changes.Runs):
        change(shop, "resume", key="key-again")


def test_resumes_not_where_others_have_taken_the_cards(shop: Shop) -> None:
    pause(shop)
    order(shop, "key-second", name="zweiter", replicas=2)
    before = counted(shop)

    with pytest.raises(quoting.NoRoom):
        change(shop, "resume")

    assert counted(shop) == before


def test_no_room_says_how_many_would_fit(shop: Shop) -> None:
    with pytest.raises(quoting.NoRoom) as refused:
        change(shop, "resize", 4)

    assert [(one.kind, one.value) for one in refused.value.fixes] == [("replicas", "2")]


@pytest.mark.parametrize(
    ("replicas", "error"), [(1, requoting.NothingChanges), (9, quoting.BadReplicas)]
)
def test_refuses_what_changes_nothing_or_is_too_much(
    shop: Shop, replicas: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        change(shop, "resize", replicas)


def test_leaves_everything_as_it_was_when_the_budget_is_too_small(shop: Shop) -> None:
    budgets.change(budget=shop.budget, limit_won=REST_WON + 1, because="", by=shop.alice, now=NOON)

    with pytest.raises(budgets.BudgetExceeded):
        change(shop, "resize", 2)

    assert (counted(shop), wanted(shop)) == ((REST_WON, 0), 1)
    with rls.tenant(shop.firm.pk):
        assert Revision.objects.count() == 1


def test_refuses_a_change_of_what_was_changed_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the price and the rows another change comes; nothing stays held."""
    reserve = budgets.reserve

    def and_then(**wish: Any) -> None:
        reserve(**wish)
        with rls.tenant(shop.firm.pk):
            Endpoint.objects.update(generation=9)

    monkeypatch.setattr(budgets, "reserve", and_then)

    with pytest.raises(changes.ChangedMeanwhile):
        change(shop, "resize", 2)

    assert (counted(shop), wanted(shop)) == ((REST_WON, 0), 1)


def test_a_new_month_sets_the_size_of_now_aside(shop: Shop) -> None:
    budgets.change(budget=shop.budget, limit_won=9_000_000, because="", by=shop.alice, now=NOON)
    change(shop, "resize", 2)

    for _ in range(2):
        commitments.repair(now=LATER)

    assert committed(shop, DECEMBER) in (2 * DECEMBER_WON, 2 * DECEMBER_WON - 1)


def test_a_new_month_sets_nothing_aside_for_what_pauses(shop: Shop) -> None:
    pause(shop)

    commitments.repair(now=LATER)

    assert committed(shop, DECEMBER) == 0


def test_the_end_settles_all_orders_of_a_month_together(shop: Shop) -> None:
    change(shop, "resize", 2)
    ready(shop)
    with rls.tenant(shop.firm.pk):
        endpoints.stop(endpoint=Endpoint.objects.get(), by=shop.alice, now=NOON + HOUR)
        Placement.objects.update(wanted=False)
    stop_unwanted(shop, NOON + HOUR)
    card_time.accrue_all(now=NOON + HOUR)

    commitments.repair(now=NOON + HOUR)

    assert committed(shop, Month(2026, 11)) == 2 * 1450


def test_more_than_was_signed_waits_and_less_does_not(shop: Shop) -> None:
    carol = factories.member(
        factories.user("carol@example.com", "이정민"), shop.firm, "budget_officer"
    )
    rule_by_officers(shop)
    waiting = change(shop, "resize", 2)

    assert (waiting.state, counted(shop), wanted(shop)) == ("awaiting", (REST_WON, 0), 1)
    with pytest.raises(changes.Waits):
        change(shop, "resize", 2, "key-other")
    assert sign(shop, waiting, carol).state == "done"
    assert (counted(shop), wanted(shop)) == ((2 * REST_WON, 0), 2)
    assert change(shop, "resize", 1, "key-fewer").state == "fulfilled"
    assert change(shop, "resize", 2, "key-again").state == "fulfilled"  # it was signed before


def test_replicas_that_do_not_answer_go_first(shop: Shop) -> None:
    Card.objects.filter(site=shop.busan).update(state="free")
    change(shop, "resize", 2)
    with rls.tenant(shop.firm.pk):
        first = Placement.objects.order_by("pk")[0]
        move_placement(first, "failed", because="Test.", now=NOON)
        Placement.objects.exclude(pk=first.pk).update(state="ready")

    change(shop, "resize", 1, "key-fewer")

    with rls.tenant(shop.firm.pk):
        assert not Placement.objects.get(pk=first.pk).wanted


def test_only_those_who_may_order_change_it(shop: Shop) -> None:
    auditor = factories.member(factories.user("dan@example.com"), shop.firm, "auditor")

    with pytest.raises(NotAllowed):
        change(shop, "resize", 2, by=auditor)
