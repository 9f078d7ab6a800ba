"""Ordering: priced beforehand, once, within the budget, or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil

import pytest
from django.db import connection

from billing import budgets
from billing.models import Commitment
from portal.deployments import quoting
from portal.deployments.actions import endpoints, orders
from portal.deployments.models import Endpoint, Order, OrderMove, Placement, Revision
from portal.fleet.models import Card, Site
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import quotas, rls
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Project
from tenants.names import BadName
from tests import factories
from tests.deployments.conftest import Shop, opened
from tests.factories import CHAT, EMBEDDING, NOON

NOVEMBER = Month(2026, 11)
# from NOON on the 16th to midnight on the 30th in Korea: 14.5 days, and one second to be sure
REST_WON = ceil(1450 * (14.5 * 86400 + 1) / 3600)


def wish(**changes: object) -> quoting.Wish:
    fields = {"name": "견적-상담", "model": CHAT, "region": "daegu", "replicas": 1} | changes
    return quoting.Wish(**fields)  # type: ignore[arg-type]


def place(shop: Shop, key: str = "key-00001", **changes: object) -> Order:
    return orders.place(
        wish=wish(**changes), project=shop.project, idempotency_key=key, by=shop.alice, now=NOON
    )


def counted(shop: Shop) -> tuple[int, int]:
    """(committed, held) in won."""
    found = budgets.standing(shop.budget, shop.firm, now=NOON)
    assert found.live
    return int(found.committed), int(found.held)


def nothing_is_left(shop: Shop) -> bool:
    with rls.tenant(shop.firm.pk):
        kinds = (Endpoint, Order, OrderMove, Placement, Revision, Commitment)
        return counted(shop) == (0, 0) and not any(kind.objects.exists() for kind in kinds)


def test_orders_and_sets_the_rest_of_the_month_aside(shop: Shop) -> None:
    order = place(shop)

    assert (order.state, order.chip, order.cards) == ("fulfilled", "rngd", 1)
    assert (order.won_per_hour, order.won_per_month) == (1450, 1450 * 744)
    assert order.committed_micro == REST_WON * MICRO
    assert counted(shop) == (REST_WON, 0)
    with rls.tenant(shop.firm.pk):
        placement = Placement.objects.get()
        assert (placement.site, placement.state, placement.cards) == (shop.daegu, "wanted", 1)
        assert [move.to_state for move in OrderMove.objects.all()] == ["placed", "fulfilled"]
        assert Commitment.objects.get().amount_micro == REST_WON * MICRO
        assert AuditEvent.objects.filter(verb="order.place").count() == 1
        assert Revision.objects.get().replicas == 1


def test_keeps_the_engines_credential_sealed(shop: Shop) -> None:
    place(shop)

    with rls.tenant(shop.firm.pk):
        assert Placement.objects.get().sealed_credential.startswith("gAAAA")


def test_gives_the_same_order_for_the_same_key(shop: Shop) -> None:
    first = place(shop)

    assert place(shop) == first
    assert counted(shop) == (REST_WON, 0)


def test_gives_the_order_again_when_no_card_is_left_for_another(shop: Shop) -> None:
    first = place(shop, replicas=2)

    assert place(shop, replicas=2) == first


@pytest.mark.parametrize("changes", [{"name": "x"}, {"replicas": 2}, {"region": ""}])
def test_refuses_the_key_for_another_wish(shop: Shop, changes: dict[str, object]) -> None:
    place(shop)

    with pytest.raises(orders.IdempotencyMismatch):
        place(shop, **changes)


def test_refuses_what_has_no_card(shop: Shop) -> None:
    with pytest.raises(quoting.NoRoom) as refused:
        place(shop, replicas=3)

    assert [(one.site, one.why) for one in refused.value.rejected] == [
        ("busan-1", "other_region"),
        ("daegu-1", "no_card_free"),
    ]
    assert nothing_is_left(shop)


def test_counts_promised_cards_that_no_site_has_reported_yet(shop: Shop) -> None:
    place(shop, replicas=2)

    with pytest.raises(quoting.NoRoom):
        place(shop, "key-00002", name="zweiter")


def test_gives_cards_back_once_an_endpoint_is_stopped(shop: Shop) -> None:
    order = place(shop, replicas=2)
    with rls.tenant(shop.firm.pk):
        assert order.endpoint is not None
        endpoints.stop(endpoint=order.endpoint, by=shop.alice, now=NOON)

    assert place(shop, "key-00002", name="zweiter").state == "fulfilled"


@pytest.mark.parametrize("change", ["silent", "drained", "failed", "data_class"])
def test_places_nothing_at_a_site_that_may_not_have_it(shop: Shop, change: str) -> None:
    if change == "silent":
        then = NOON - timedelta(minutes=1)
        Site.objects.filter(code="daegu-1").update(observed_at=then, trouble_since=then)
    if change == "drained":
        Site.objects.filter(code="daegu-1").update(condition="draining")
    if change == "failed":
        Card.objects.filter(site=shop.daegu).update(state="failed")
    if change == "data_class":
        Site.objects.filter(code="daegu-1").update(data_classes=["open"])
        with rls.tenant(shop.firm.pk):
            Project.objects.update(data_class="medical")
            shop.project.refresh_from_db()

    with pytest.raises(quoting.NoRoom):
        place(shop)

    assert nothing_is_left(shop)


def test_offers_what_only_ran_on_pretended_cards_at_pretended_sites_only(shop: Shop) -> None:
    Site.objects.filter(code="daegu-1").update(simulated=False)

    with pytest.raises(quoting.NoRoom) as refused:
        place(shop)

    assert ("daegu-1", "no_offering") in [(one.site, one.why) for one in refused.value.rejected]


def test_spreads_over_regions_when_none_is_named(shop: Shop) -> None:
    place(shop, region="", replicas=3)

    with rls.tenant(shop.firm.pk):
        sites = sorted(Placement.objects.values_list("site__code", flat=True))
    assert sites == ["busan-1", "daegu-1", "daegu-1"]


def test_stays_in_the_projects_regions(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        Project.objects.update(regions=["busan"])
        shop.project.refresh_from_db()

    place(shop, region="")

    with rls.tenant(shop.firm.pk):
        assert Placement.objects.get().site == shop.busan


def test_refuses_a_region_outside_of_the_projects(shop: Shop) -> None:
    """A named region does not widen what the project allows."""
    with rls.tenant(shop.firm.pk):
        Project.objects.update(regions=["busan"])
        shop.project.refresh_from_db()

    with pytest.raises(quoting.NoRoom):
        place(shop, region="daegu")


@pytest.mark.parametrize("name", ["견적-상담", "  견적-상담 ", CHAT, EMBEDDING])
def test_refuses_a_name_that_is_taken(shop: Shop, name: str) -> None:
    factories.endpoint(shop.project)

    with pytest.raises(orders.NameTaken):
        place(shop, name=name)

    assert counted(shop) == (0, 0)


def test_takes_a_name_again_once_it_is_stopped(shop: Shop) -> None:
    factories.endpoint(shop.project, stopped_at=NOON)

    assert place(shop).name == "견적-상담"


@pytest.mark.parametrize("model", [EMBEDDING, "gpt", ""])
def test_refuses_what_is_not_for_sale(shop: Shop, model: str) -> None:
    with pytest.raises(quoting.NotForSale):
        place(shop, model=model)


def test_refuses_bad_names_and_counts(shop: Shop) -> None:
    with pytest.raises(BadName):
        place(shop, name="a\u202eb")
    for replicas in (0, 9, -1):
        with pytest.raises(quoting.BadReplicas):
            place(shop, replicas=replicas)

    assert nothing_is_left(shop)


def test_leaves_nothing_when_the_budget_is_too_small(shop: Shop) -> None:
    budgets.change(budget=shop.budget, limit_won=REST_WON - 1, because="", by=shop.alice, now=NOON)

    with pytest.raises(budgets.BudgetExceeded) as refused:
        place(shop)

    assert (refused.value.missing_won, refused.value.left_won) == (1, REST_WON - 1)
    assert nothing_is_left(shop)


def test_fits_a_budget_to_the_won(shop: Shop) -> None:
    budgets.change(budget=shop.budget, limit_won=REST_WON, because="", by=shop.alice, now=NOON)

    assert place(shop).state == "fulfilled"


def test_frees_what_was_held_when_writing_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.audit.record", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        place(shop)

    assert nothing_is_left(shop)


def test_lets_only_those_order_who_may(shop: Shop) -> None:
    auditor = factories.member(factories.user("dan@example.com"), shop.firm, "auditor")

    with pytest.raises(NotAllowed):
        orders.place(
            wish=wish(), project=shop.project, idempotency_key="x" * 8, by=auditor, now=NOON
        )


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 10, 31, 15, 0, tzinfo=UTC), 30 * 86400 + 1),  # the first second
        (datetime(2026, 11, 30, 14, 59, 59, tzinfo=UTC), 2),  # the last one
    ],
)
def test_sets_aside_from_now_to_the_months_end(shop: Shop, now: datetime, seconds: int) -> None:
    Site.objects.update(observed_at=now)
    with rls.tenant(shop.firm.pk):
        quote = quoting.quote(wish=wish(), project=shop.project, now=now)

    assert quote.month == NOVEMBER
    assert quote.rest_of_month_micro == -(-1450 * seconds // 3600) * MICRO


def together(shop: Shop, keys: list[str], names: list[str]) -> list[object]:
    """Orders at the same moment; their results in no order."""
    start, results = threading.Barrier(len(keys)), []

    def order(key: str, name: str) -> None:
        try:
            start.wait(5)
            results.append(place(shop, key, name=name))
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=order, args=pair) for pair in zip(keys, names, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


@pytest.mark.django_db(transaction=True)
def test_orders_once_when_the_same_key_comes_four_times_at_once(valkey_url: str) -> None:
    shop = opened(20_000_000)

    results = together(shop, ["key-00001"] * 4, ["eins"] * 4)

    assert {getattr(one, "public_id", one) for one in results} == {
        getattr(results[0], "public_id", None)
    }
    assert counted(shop) == (REST_WON, 0)
    with rls.tenant(shop.firm.pk):
        assert (Order.objects.count(), Placement.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_orders_once_when_the_budget_has_room_for_one_of_four(valkey_url: str) -> None:
    shop = opened(REST_WON)

    results = together(shop, ["key-00001"] * 4, ["eins"] * 4)

    assert {type(one).__name__ for one in results} <= {"Order", "BudgetExceeded"}
    assert counted(shop) == (REST_WON, 0)
    assert place(shop, name="eins") in results


@pytest.mark.django_db(transaction=True)
def test_promises_the_last_card_to_one_of_four(valkey_url: str) -> None:
    shop = opened(20_000_000)
    Card.objects.filter(ref="rngd-1").delete()

    results = together(shop, [f"key-0000{n}" for n in range(4)], list("abcd"))

    assert sorted(type(one).__name__ for one in results) == ["NoRoom"] * 3 + ["Order"]
    assert counted(shop) == (REST_WON, 0)


@pytest.mark.django_db(transaction=True)
def test_gives_one_name_to_one_of_two(valkey_url: str) -> None:
    shop = opened()

    results = together(shop, ["key-00001", "key-00002"], ["eins", "eins"])

    assert sorted(type(one).__name__ for one in results) == ["NameTaken", "Order"]
    assert counted(shop) == (REST_WON, 0)


def test_refuses_more_cards_of_one_kind_than_the_organization_may_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(quotas.QUOTAS, "cards", replace(quotas.QUOTAS["cards"], usual=1))
    place(shop)

    with pytest.raises(quoting.TooManyCards):
        place(shop, "key-00002", name="다른-상담")


def test_a_key_that_another_project_has_used_is_taken(shop: Shop) -> None:
    first = place(shop, name="eins")
    second = factories.project(shop.firm, "연구")
    sees_one = replace(shop.alice, projects=(second.public_id,))

    for name in ("eins", "zwei"):
        with pytest.raises(orders.IdempotencyMismatch):
            orders.place(
                wish=quoting.Wish(name, CHAT, "daegu", 1),
                project=second,
                idempotency_key="key-00001",
                by=sees_one,
                now=NOON,
            )

    with rls.tenant(shop.firm.pk):
        assert Order.objects.get() == first
