"""Orders above the bound: they wait with their price and hold nothing; then once, at that price."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing import budgets, tariffs
from billing.approvals import asking, matrices
from billing.approvals.deciding import Seen, Word
from billing.approvals.matrix import ORDER, RAISE, SITES, TRANSFER, Matrix, Rule, Step
from billing.models import ApprovalRequest, Commitment
from portal.deployments import approving
from portal.deployments.actions import commitments, orders
from portal.deployments.models import Endpoint, Order, OrderMove, Placement
from portal.fleet.models import Card
from portal.lib.money import MICRO
from tenants import rls
from tenants.actors import Actor
from tenants.models import AuditEvent
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_orders import REST_WON, counted, wish
from tests.factories import NOON

EITHER = Step(("owner", "budget_officer"))


@pytest.fixture
def carol(shop: Shop) -> Actor:
    """The budget officer; orders of ₩1,000,000 a month and more need another's signature."""
    officer = factories.member(
        factories.user("carol@example.com", "이정민"), shop.firm, "budget_officer"
    )
    rule_by_officers(shop)
    return officer


def rule_by_officers(shop: Shop) -> None:
    matrix = Matrix(
        (
            Rule(ORDER, 0, 1_000_000),
            Rule(ORDER, 1_000_000, steps=(EITHER,)),
            Rule(RAISE, steps=(EITHER,)),
            Rule(TRANSFER, steps=(EITHER,)),
            Rule(SITES),
        )
    )
    with rls.tenant(shop.firm.pk):
        matrices.write(matrix=matrix, because="새 전결 규정", version=0, by=shop.alice, now=NOON)


def place(shop: Shop, key: str = "key-00001", **changes: Any) -> Order:
    return orders.place(
        wish=wish(**changes), project=shop.project, idempotency_key=key, by=shop.alice, now=NOON
    )


def request_of(shop: Shop, order: Order) -> ApprovalRequest:
    with rls.tenant(shop.firm.pk):
        rows = ApprovalRequest.objects.select_related("requested_by", "organization")
        return rows.get(subject=order.public_id)


def sign(shop: Shop, order: Order, by: Actor, *, agrees: bool = True) -> ApprovalRequest:
    word = Word(agrees, "" if agrees else "예산이 없습니다.")
    return approving.decide(
        request=request_of(shop, order), seen=Seen(1, 1), word=word, by=by, now=NOON
    )


def fresh(shop: Shop, order: Order) -> Order:
    with rls.tenant(shop.firm.pk):
        return Order.objects.select_related("endpoint").get(pk=order.pk)


def test_waits_and_holds_neither_money_nor_cards(shop: Shop, carol: Actor) -> None:
    order = place(shop)

    assert (order.state, order.endpoint, order.committed_micro) == ("awaiting", None, 0)
    assert order.won_per_month == 1450 * 744
    assert counted(shop) == (0, 0)
    with rls.tenant(shop.firm.pk):
        assert not Endpoint.objects.exists()
        assert not Placement.objects.exists()
        assert not Commitment.objects.exists()
    assert request_of(shop, order).amount_won == 1450 * 744


def test_is_placed_at_the_approved_price_once_it_is_signed(shop: Shop, carol: Actor) -> None:
    order = place(shop)

    found = sign(shop, order, carol)

    after = fresh(shop, order)
    assert after.endpoint is not None
    assert (found.state, found.result) == ("done", after.endpoint.public_id)
    assert (after.state, after.committed_micro) == ("fulfilled", REST_WON * MICRO)
    assert counted(shop) == (REST_WON, 0)
    assert (after.placed_by, after.endpoint.created_by) == ("김서연", "김서연")
    with rls.tenant(shop.firm.pk):
        assert [one.to_state for one in OrderMove.objects.all()] == [
            "awaiting",
            "placed",
            "fulfilled",
        ]
        assert AuditEvent.objects.filter(verb="order.place").count() == 1


def test_gives_the_same_order_for_the_same_key(shop: Shop, carol: Actor) -> None:
    first = place(shop)

    assert place(shop) == first
    sign(shop, first, carol)
    assert place(shop).state == "fulfilled"
    with rls.tenant(shop.firm.pk):
        assert Order.objects.count() == 1


def test_a_no_cancels_the_order(shop: Shop, carol: Actor) -> None:
    order = place(shop)

    assert sign(shop, order, carol, agrees=False).state == "refused"
    assert fresh(shop, order).state == "cancelled"


def test_expiry_cancels_the_order(shop: Shop, carol: Actor) -> None:
    order = place(shop)

    assert approving.sweep(now=NOON + timedelta(days=14)) == 1
    assert fresh(shop, order).state == "cancelled"


def test_a_new_price_is_not_approved_and_may_be_asked_again(shop: Shop, carol: Actor) -> None:
    order = place(shop)
    tariffs.set_card_tariff(chip="rngd", won_per_hour=Decimal(1600), starts_at=NOON)

    assert sign(shop, order, carol).state == "changed"
    assert counted(shop) == (0, 0)
    again = approving.ask_again(request=request_of(shop, order), by=shop.alice, now=NOON)

    assert (again.state, again.round, again.amount_won) == ("waiting", 2, 1600 * 744)
    done = approving.decide(request=again, seen=Seen(2, 1), word=Word(True), by=carol, now=NOON)
    after = fresh(shop, order)
    assert (done.state, after.won_per_card_hour, after.won_per_month) == (
        "done",
        Decimal(1600),
        1600 * 744,
    )


def test_the_same_price_in_a_new_version_is_no_change(shop: Shop, carol: Actor) -> None:
    order = place(shop)
    tariffs.set_card_tariff(chip="rngd", won_per_hour=Decimal(1450), starts_at=NOON)

    assert sign(shop, order, carol).state == "done"
    assert fresh(shop, order).price_version != order.price_version


@pytest.mark.parametrize("lacking", ["cards", "money", "name"])
def test_what_is_lacking_is_shown_and_tried_again(shop: Shop, carol: Actor, lacking: str) -> None:
    order = place(shop)
    if lacking == "cards":
        Card.objects.filter(site=shop.daegu).update(state="failed")
    if lacking == "money":
        budgets.change(budget=shop.budget, limit_won=1000, because="", by=shop.alice, now=NOON)
    if lacking == "name":
        factories.endpoint(shop.project)

    failed = sign(shop, order, carol)

    assert failed.state == "failed"
    assert failed.fault
    assert counted(shop) == (0, 0)
    assert fresh(shop, order).state == "awaiting"
    if lacking == "cards":
        Card.objects.filter(site=shop.daegu).update(state="free")
    if lacking == "money":
        with rls.tenant(shop.firm.pk):
            shop.budget.refresh_from_db()
        budgets.change(budget=shop.budget, limit_won=2_000_000, because="", by=shop.alice, now=NOON)
    if lacking == "name":
        with rls.tenant(shop.firm.pk):
            Endpoint.objects.update(stopped_at=NOON)
    for _twice in range(2):
        found = request_of(shop, order)
        if found.state == "failed":
            found = approving.repeat(request=found, by=shop.alice, now=NOON)
    assert found.state == "done"
    assert counted(shop) == (REST_WON, 0)


def test_a_hold_that_a_dead_process_left_is_freed_and_the_order_placed(
    shop: Shop, carol: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies between the rows of the order and the state of the request."""
    order = place(shop)

    def die(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("billing.approvals.carrying.finished", die)
        with pytest.raises(KeyboardInterrupt):
            sign(shop, order, carol)
    assert request_of(shop, order).state == "approved"

    assert approving.sweep(now=NOON + timedelta(minutes=5)) == 1
    commitments.release_lost(older_ms=0)

    assert request_of(shop, order).state == "done"
    assert counted(shop) == (REST_WON, 0)
    with rls.tenant(shop.firm.pk):
        assert Endpoint.objects.count() == 1


def test_rules_that_change_while_it_is_placed_are_followed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come between the look at the price and the rows; what was held is free again."""
    reserve = budgets.reserve

    def and_then(**wanted: Any) -> None:
        reserve(**wanted)
        rule_by_officers(shop)

    monkeypatch.setattr(budgets, "reserve", and_then)

    order = place(shop)

    assert order.state == "awaiting"
    assert counted(shop) == (0, 0)


def test_below_the_bound_it_is_placed_at_once(shop: Shop) -> None:
    assert place(shop, replicas=2).state == "fulfilled"
    with rls.tenant(shop.firm.pk):
        assert not ApprovalRequest.objects.exists()


def test_an_order_of_another_organization_is_not_found(shop: Shop, carol: Actor) -> None:
    order = place(shop)
    other = factories.organization("이웃상사", number="2208162517")
    mallory = factories.member(factories.user("mallory@example.com", "남궁훈"), other)

    with pytest.raises(ApprovalRequest.DoesNotExist):
        sign(shop, order, mallory)
    with pytest.raises(ApprovalRequest.DoesNotExist), rls.tenant(other.pk):
        asking.withdraw(
            request=request_of(shop, order),
            deed=approving.DEEDS[ORDER],
            by=mallory,
            now=NOON,
        )
