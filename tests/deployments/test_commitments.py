"""Money set aside: renewed each month, lowered at the end, and what a hold does to replicas."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import budgets
from billing.models import Commitment
from portal.deployments import quoting
from portal.deployments.actions import card_time, commitments, endpoints, orders, placements
from portal.deployments.models import Endpoint, Order, Placement
from portal.deployments.states import move_placement
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import rls
from tests.deployments.conftest import Shop
from tests.deployments.test_orders import REST_WON, place
from tests.factories import NOON

DECEMBER = Month(2026, 12)
LATER = DECEMBER.period.start + timedelta(minutes=1)
DECEMBER_WON = -(-1450 * (31 * 86400 - 60 + 1) // 3600)


@pytest.fixture
def order(shop: Shop) -> Order:
    return place(shop)


def rows(shop: Shop) -> dict[str, tuple[int, bool]]:
    with rls.tenant(shop.firm.pk):
        return {
            one.month: (one.amount_micro // MICRO, one.final) for one in Commitment.objects.all()
        }


def committed(shop: Shop, month: Month) -> int:
    found = budgets.standing(shop.budget, shop.firm, now=month.period.start)
    assert found.live
    return int(found.committed)


def endpoint(shop: Shop) -> Endpoint:
    with rls.tenant(shop.firm.pk):
        return Endpoint.objects.get()


def move(shop: Shop, *states: str) -> None:
    with rls.tenant(shop.firm.pk):
        placement = Placement.objects.get()
        for state in states:
            assert move_placement(placement, state, because="Test.", now=NOON)


def test_sets_a_new_months_share_aside_once(shop: Shop, order: Order) -> None:
    for _ in range(3):
        commitments.repair(now=LATER)

    assert rows(shop) == {"2026-11": (REST_WON, False), "2026-12": (DECEMBER_WON, False)}
    assert committed(shop, DECEMBER) == DECEMBER_WON
    assert not endpoint(shop).funding_hold


def test_holds_an_endpoint_whose_month_does_not_fit(shop: Shop, order: Order) -> None:
    budgets.change(budget=shop.budget, limit_won=600_000, because="", by=shop.alice, now=NOON)

    commitments.repair(now=LATER)

    assert endpoint(shop).funding_hold
    assert "2026-12" not in rows(shop)
    assert committed(shop, DECEMBER) == 0


def test_goes_on_once_the_budget_has_room_again(shop: Shop, order: Order) -> None:
    budget = budgets.change(
        budget=shop.budget, limit_won=600_000, because="", by=shop.alice, now=NOON
    )
    commitments.repair(now=LATER)
    budgets.change(budget=budget, limit_won=3_000_000, because="", by=shop.alice, now=NOON)

    commitments.repair(now=LATER)

    assert not endpoint(shop).funding_hold
    assert committed(shop, DECEMBER) == DECEMBER_WON


@pytest.mark.parametrize("ended", [("ready", "stopping"), ("ready", "stopping", "stopped")])
def test_asks_for_another_replica_after_a_hold(
    shop: Shop, order: Order, ended: tuple[str, ...]
) -> None:
    """A replica that was stopped for the hold never comes back; its endpoint must."""
    with rls.tenant(shop.firm.pk):
        Endpoint.objects.update(funding_hold=True)
    move(shop, *ended)
    placements.revive(now=LATER)
    with rls.tenant(shop.firm.pk):
        assert Placement.objects.count() == 1  # still held
        Endpoint.objects.update(funding_hold=False)

    for _ in range(2):
        commitments.repair(now=NOON)

    with rls.tenant(shop.firm.pk):
        assert sorted(Placement.objects.values_list("state", "wanted")) == sorted(
            [(ended[-1], False), ("wanted", True)]
        )
        assert Placement.objects.get(wanted=True).site == shop.daegu


def test_asks_for_no_replica_of_a_stopped_endpoint(shop: Shop, order: Order) -> None:
    move(shop, "ready", "stopping", "stopped")
    with rls.tenant(shop.firm.pk):
        Endpoint.objects.update(stopped_at=NOON)

    assert placements.revive(now=LATER) == 0


def test_lowers_what_was_set_aside_to_what_was_used(shop: Shop, order: Order) -> None:
    move(shop, "ready")
    with rls.tenant(shop.firm.pk):
        endpoints.stop(endpoint=endpoint(shop), by=shop.alice, now=NOON + timedelta(minutes=30))
        placement = Placement.objects.get()
        move_placement(placement, "stopping", because="", now=NOON + timedelta(minutes=30))
        move_placement(placement, "stopped", because="", now=NOON + timedelta(minutes=31))

    commitments.repair(now=NOON + timedelta(minutes=32))
    assert rows(shop) == {"2026-11": (REST_WON, False)}  # its card time is not in the ledger yet

    card_time.accrue_all(now=NOON + timedelta(minutes=40))
    for _ in range(2):
        commitments.repair(now=NOON + timedelta(minutes=41))

    assert rows(shop) == {"2026-11": (725, True)}
    assert committed(shop, Month(2026, 11)) == 725


def test_frees_all_that_was_set_aside_for_what_never_ran(shop: Shop, order: Order) -> None:
    with rls.tenant(shop.firm.pk):
        endpoints.stop(endpoint=endpoint(shop), by=shop.alice, now=NOON)
    move(shop, "stopped")
    card_time.accrue_all(now=NOON + timedelta(hours=1))

    commitments.repair(now=NOON + timedelta(hours=1))

    assert rows(shop) == {"2026-11": (0, True)}
    assert committed(shop, Month(2026, 11)) == 0


def test_tells_valkey_again_what_it_forgot(shop: Shop, order: Order, valkey: object) -> None:
    valkey.flushdb()  # type: ignore[attr-defined]
    budgets.publish(shop.budget, shop.firm)
    assert committed(shop, Month(2026, 11)) == 0

    commitments.repair(now=NOON)

    assert committed(shop, Month(2026, 11)) == REST_WON


def test_frees_a_hold_whose_order_was_never_written(shop: Shop) -> None:
    """The process died between hold and rows."""
    budgets.reserve(
        organization=shop.firm,
        subjects=[shop.firm.public_id],
        reference="ord_lost",
        month=Month(2026, 11),
        amount_micro=1000 * MICRO,
    )

    commitments.release_lost(older_ms=0)

    assert budgets.standing(shop.budget, shop.firm, now=NOON).held == 0


def test_keeps_a_hold_whose_order_was_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process died before it told Valkey: the row says that it is committed."""
    with monkeypatch.context() as patch:
        patch.setattr(budgets, "tell", lambda *_: None)
        orders.place(
            wish=quoting.Wish("견적", "smollm2-135m-instruct", "daegu", 1),
            project=shop.project,
            idempotency_key="key-00001",
            by=shop.alice,
            now=NOON,
        )

    commitments.release_lost(older_ms=0)

    found = budgets.standing(shop.budget, shop.firm, now=NOON)
    assert (int(found.committed), int(found.held)) == (REST_WON, 0)
