"""Each arrow, each missing arrow, and the second mover."""

from __future__ import annotations

import itertools

import pytest

from portal.deployments.models import (
    ORDER_ARROWS,
    PLACEMENT_ARROWS,
    Order,
    OrderMove,
    OrderState,
    Placement,
    PlacementMove,
    PlacementState,
)
from portal.deployments.states import NoSuchMove, move_order, move_placement
from tenants import rls
from tests import factories
from tests.deployments.conftest import Shop
from tests.factories import NOON

PAIRS = list(itertools.product(PlacementState.values, PlacementState.values))


@pytest.fixture
def placement(shop: Shop) -> Placement:
    return factories.placement(factories.endpoint(shop.project), shop.daegu)


def test_moves_along_every_arrow_and_no_other(
    shop: Shop, placement: Placement, subtests: pytest.Subtests
) -> None:
    for before, after in PAIRS:
        with subtests.test(f"{before} → {after}"), rls.tenant(shop.firm.pk):
            Placement.objects.filter(pk=placement.pk).update(state=before)
            placement.refresh_from_db()
            had = PlacementMove.objects.count()

            if (before, after) in PLACEMENT_ARROWS:
                assert move_placement(placement, after, because="Weil.", now=NOON)
                assert PlacementMove.objects.count() == had + 1
            else:
                with pytest.raises(NoSuchMove):
                    move_placement(placement, after, because="Weil.", now=NOON)
                assert PlacementMove.objects.count() == had
            placement.refresh_from_db()
            expected = after if (before, after) in PLACEMENT_ARROWS else before
            assert placement.state == expected


def test_writes_down_why_with_what_was_seen(shop: Shop, placement: Placement) -> None:
    with rls.tenant(shop.firm.pk):
        move_placement(placement, "ready", because="x" * 400, now=NOON, url="http://a", restarts=2)

        placement.refresh_from_db()
        move = PlacementMove.objects.get()
    assert (placement.url, placement.restarts, placement.state_since) == ("http://a", 2, NOON)
    assert (move.from_state, move.to_state, move.because) == ("wanted", "ready", "x" * 300)


def test_lets_the_second_mover_change_nothing(shop: Shop, placement: Placement) -> None:
    with rls.tenant(shop.firm.pk):
        mine, other = Placement.objects.get(), Placement.objects.get()
        assert move_placement(other, "stopping", because="First.", now=NOON)

        assert not move_placement(mine, "ready", because="Second.", now=NOON, url="http://a")

        kept = Placement.objects.get()
        assert (kept.state, kept.url) == ("stopping", "")
        assert [move.because for move in PlacementMove.objects.all()] == ["First."]


def order(shop: Shop) -> Order:
    return Order.objects.create(
        public_id="ord_1",
        organization=shop.firm,
        project=shop.project,
        idempotency_key="12345678",
        request_digest="x",
        name="e",
        model=factories.CatalogModel.objects.get(slug=factories.CHAT),
        region="",
        replicas=1,
        chip="rngd",
        cards=1,
        price_version="tar_x",
        won_per_card_hour=1,
        won_per_hour=1,
        won_per_month=1,
        committed_micro=1,
        month="2026-11",
        placed_at=NOON,
        placed_by="x",
    )


def test_moves_orders_along_their_arrows_and_no_other(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    with rls.tenant(shop.firm.pk):
        row = order(shop)
        for before, after in itertools.product(OrderState.values, OrderState.values):
            with subtests.test(f"{before} → {after}"):
                Order.objects.update(state=before)
                row.refresh_from_db()
                if (before, after) in ORDER_ARROWS:
                    assert move_order(row, after, because="Weil.", now=NOON)
                else:
                    with pytest.raises(NoSuchMove):
                        move_order(row, after, because="Weil.", now=NOON)


def test_lets_the_second_mover_of_an_order_change_nothing(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        order(shop)
        mine, other = Order.objects.get(), Order.objects.get()
        assert move_order(other, "cancelled", because="First.", now=NOON)

        assert not move_order(mine, "fulfilled", because="Second.", now=NOON)

        assert OrderMove.objects.count() == 1
