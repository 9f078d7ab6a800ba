"""A pause and the end of an endpoint as orders: seen beforehand, once, always allowed, done when
everything has stopped and is counted."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.deployments import freed, order_words, queries, schedules
from portal.deployments.actions import (
    card_time,
    commitments,
    endpoints,
    freeing,
    freeing_orders,
    orders,
)
from portal.deployments.freed import Freed
from portal.deployments.models import FREEING, Drill, Endpoint, Order, OrderMove, Placement
from portal.deployments.requoting import NothingChanges
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.money import MICRO
from tenants import audit, rls
from tenants.actions import payment_holds
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, ModelAlias, OperatorHold
from tests import factories
from tests.deployments.conftest import Shop, opened
from tests.deployments.test_changes import HOUR, change, own, ready, stop_unwanted, wanted
from tests.deployments.test_commitments import DECEMBER, DECEMBER_WON, LATER, committed
from tests.deployments.test_opening import put
from tests.deployments.test_orders import REST_WON, counted
from tests.deployments.test_orders import place as order
from tests.factories import NOON

KINDS = pytest.mark.parametrize("kind", FREEING)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """With one replica running in Daegu."""
    order(shop)
    ready(shop)
    return shop


def free(shop: Shop, kind: str = "pause", key: str = "key-free", **more: Any) -> Order:
    by, now = more.pop("by", shop.alice), more.pop("now", NOON)
    with rls.tenant(shop.firm.pk):
        return freeing_orders.place(
            kind=kind, endpoint=own(shop), idempotency_key=key, by=by, now=now
        )


def look(shop: Shop, kind: str = "pause", now: Any = NOON) -> Freed:
    with rls.tenant(shop.firm.pk):
        return freed.of(own(shop), kind, now)


def work(now: Any) -> int:
    """What the workers do each minute; how many orders were moved."""
    card_time.accrue_all(now=now)
    commitments.repair(now=now)
    freeing.sweep(now=now)
    return freeing_orders.sweep(now=now)


def state(shop: Shop, done: Order) -> str:
    with rls.tenant(shop.firm.pk):
        return Order.objects.get(pk=done.pk).state


@KINDS
def test_ends_once_all_have_stopped_and_are_counted(shop: Shop, kind: str) -> None:
    done = free(shop, kind)

    assert (done.kind, done.state, done.won_per_hour, done.won_per_hour_before) == (
        kind,
        "placed",
        0,
        1450,
    )
    assert (wanted(shop), work(NOON), state(shop, done)) == (0, 0, "placed")
    stop_unwanted(shop, NOON + HOUR)
    assert freeing_orders.sweep(now=NOON + HOUR) == 0  # its time is not in the ledger yet
    assert [work(NOON + 2 * HOUR) for _ in range(2)] == [1, 0]
    assert state(shop, done) == "fulfilled"
    assert counted(shop) == (1450, 0)
    with rls.tenant(shop.firm.pk):
        moves = OrderMove.objects.filter(order=done)
        assert [one.to_state for one in moves] == ["placed", "fulfilled"]


@KINDS
def test_frees_the_money_once_whatever_is_repeated(shop: Shop, kind: str) -> None:
    free(shop, kind)
    free(shop, kind)
    stop_unwanted(shop, NOON + HOUR)

    for _ in range(3):
        work(NOON + 2 * HOUR)
        free(shop, kind)

    assert counted(shop) == (1450, 0)
    with rls.tenant(shop.firm.pk):
        assert Order.objects.filter(kind=kind).count() == 1


@KINDS
def test_is_done_at_once_where_nothing_runs(shop: Shop, kind: str) -> None:
    with rls.tenant(shop.firm.pk):
        Placement.objects.update(wanted=False)
    stop_unwanted(shop, NOON)
    card_time.accrue_all(now=NOON + HOUR)

    assert free(shop, kind, now=NOON + HOUR).state == "fulfilled"


@KINDS
def test_looking_at_it_changes_nothing(shop: Shop, kind: str) -> None:
    found = look(shop, kind, NOON + HOUR)

    assert (found.replicas, found.cards, [one.code for one in found.sites]) == (1, 1, ["daegu-1"])
    assert (found.form.won_per_hour, found.form.won_per_month) == (1450, 1450 * 744)
    assert found.set_aside_micro == REST_WON * MICRO
    assert 1450 * MICRO <= found.owed_micro <= 1452 * MICRO
    assert found.free_micro == found.set_aside_micro - found.owed_micro
    assert (found.kept_micro, found.reservations) == (0, 0)
    assert (counted(shop), wanted(shop)) == ((REST_WON, 0), 1)
    with rls.tenant(shop.firm.pk):
        assert not Order.objects.filter(kind__in=FREEING).exists()
        assert own(shop).may_run


def test_says_what_is_lost_with_an_endpoint(shop: Shop) -> None:
    put(shop, schedules.OFFICE)
    with rls.tenant(shop.firm.pk):
        ModelAlias.objects.create(
            public_id=ids.mint("als"),
            organization=shop.firm,
            project=shop.project,
            name="gpt-4o-mini",
            target=own(shop).name,
            created_at=NOON,
        )
        Drill.objects.create(
            public_id=ids.mint("dri"),
            organization=shop.firm,
            endpoint=own(shop),
            site=shop.daegu,
            starts_at=NOON + HOUR,
            ends_at=NOON + 2 * HOUR,
            booked_at=NOON,
            booked_by="김서연",
        )

    lost = look(shop, "delete").lost

    assert lost is not None
    assert (lost.aliases, lost.drills, lost.hours, lost.awaiting) == (
        ("gpt-4o-mini",),
        1,
        True,
        False,
    )
    assert look(shop, "pause").lost is None


def test_a_pause_keeps_what_opening_hours_need_and_the_end_does_not(shop: Shop) -> None:
    put(shop, schedules.OFFICE)

    pause, end = look(shop), look(shop, "delete")

    assert pause.kept_micro > 0 == end.kept_micro
    assert end.free_micro == pause.free_micro + pause.kept_micro


def test_gives_the_same_order_for_the_same_key_and_refuses_it_for_another(shop: Shop) -> None:
    first = free(shop)

    assert free(shop) == first
    with pytest.raises(orders.IdempotencyMismatch):
        free(shop, "delete")
    with pytest.raises(orders.IdempotencyMismatch):
        free(shop, key="key-00001")  # it has ordered the endpoint
    assert own(shop).stopped_at is None


def test_another_key_finds_it_done(shop: Shop) -> None:
    first = free(shop)

    with pytest.raises(NothingChanges):
        free(shop, key="key-other")
    with rls.tenant(shop.firm.pk):
        again = freeing_orders.ensure(
            kind="pause", endpoint=own(shop), by=shop.alice, now=NOON + HOUR
        )
    assert again == first


def test_a_pause_by_opening_hours_has_no_order(shop: Shop) -> None:
    with rls.tenant(shop.firm.pk):
        endpoints.rest(own(shop), NOON)

        found = freeing_orders.ensure(kind="pause", endpoint=own(shop), by=shop.alice, now=NOON)

    assert found is None


def test_a_resume_overtakes_a_pause_that_is_under_way(shop: Shop) -> None:
    pause = free(shop)

    resumed = change(shop, "resume", now=NOON)

    assert (resumed.state, state(shop, pause)) == ("fulfilled", "cancelled")
    stop_unwanted(shop, NOON + HOUR)
    work(NOON + 2 * HOUR)
    second = free(shop, key="key-second", now=NOON + 2 * HOUR)
    assert (state(shop, pause), second.state) == ("cancelled", "placed")


def test_a_resume_that_nobody_told_the_order_of_is_seen_by_the_sweep(shop: Shop) -> None:
    pause = free(shop)
    with rls.tenant(shop.firm.pk):
        Endpoint.objects.update(paused_at=None)

    assert freeing_orders.sweep(now=NOON) == 1

    assert state(shop, pause) == "cancelled"


def test_an_end_takes_a_pause_with_it(shop: Shop) -> None:
    pause, end = free(shop), free(shop, "delete", "key-end")
    stop_unwanted(shop, NOON)

    assert work(NOON + HOUR) == 2

    assert (state(shop, pause), state(shop, end)) == ("fulfilled", "fulfilled")
    with pytest.raises(NothingChanges):
        free(shop, key="key-late")


@KINDS
@pytest.mark.parametrize("trouble", ["suspended", "overdue", "funding", "operator"])
def test_is_allowed_whatever_holds_the_organization(shop: Shop, kind: str, trouble: str) -> None:
    with rls.everyone(because="test"):
        if trouble == "suspended":
            OperatorHold.objects.create(
                public_id=ids.mint("hold"),
                organization=shop.firm,
                because="요금이 밀렸습니다.",
                held_at=NOON,
                held_by="오운영",
            )
        if trouble == "overdue":
            payment_holds.place(
                organization=shop.firm, document="inv_x", number="1", place="/home/", now=NOON
            )
        if trouble in {"funding", "operator"}:
            Endpoint.objects.update(**{f"{trouble}_hold": True})

    assert free(shop, kind).state == "placed"

    assert wanted(shop) == 0


def test_needs_no_room_in_the_budget_and_no_signature(shop: Shop) -> None:
    from tests.deployments.test_approved_orders import rule_by_officers

    rule_by_officers(shop)

    assert free(shop).state == "placed"
    assert counted(shop) == (REST_WON, 0)


def test_only_those_who_may_change_endpoints_free_them(shop: Shop) -> None:
    auditor = factories.member(factories.user("dan@example.com"), shop.firm, "auditor")
    stranger = factories.member(
        factories.user("mallory@example.com"), factories.organization("이웃", number="2208162517")
    )

    with pytest.raises(NotAllowed):
        free(shop, by=auditor)
    with pytest.raises(endpoints.NotYours):
        free(shop, by=stranger)
    assert own(shop).may_run


def test_what_is_ordered_stays_the_newest_that_gave_it_a_form(shop: Shop) -> None:
    """An endpoint that its hours open again after a pause by hand costs what it cost before."""
    put(shop, schedules.OFFICE)
    first = queries_order(shop)
    free(shop)
    stop_unwanted(shop, NOON)
    work(NOON + HOUR)

    assert queries_order(shop) == first
    commitments.renew(now=LATER)
    assert 0 < committed(shop, DECEMBER) < DECEMBER_WON


def queries_order(shop: Shop) -> Order | None:
    with rls.tenant(shop.firm.pk):
        return queries.orders_of(own(shop), 1).formed_by


@KINDS
def test_stands_in_the_log_and_says_itself_in_a_sentence(shop: Shop, kind: str) -> None:
    done = free(shop, kind)

    verb = "endpoint.pause" if kind == "pause" else "endpoint.stop"
    with rls.tenant(shop.firm.pk):
        event = AuditEvent.objects.get(verb=verb)
    assert (event.changes, event.actor) == (
        {"order": done.public_id},
        audit.actor_ref(shop.alice),
    )
    assert order_words.sentence(done) != order_words.sentence(Order(kind=kind, state="fulfilled"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("keys", [("key-free", "key-free"), ("key-free", "key-other")])
@KINDS
def test_frees_once_when_two_ask_at_once(valkey_url: str, kind: str, keys: tuple[str, str]) -> None:
    shop = opened()
    order(shop)
    ready(shop)
    start, results = threading.Barrier(2), []

    def ask(key: str) -> None:
        try:
            start.wait(5)
            results.append(free(shop, kind, key))
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=[key]) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    names = sorted(type(one).__name__ for one in results)
    assert names == (["Order"] * 2 if keys[0] == keys[1] else ["NothingChanges", "Order"])
    with rls.tenant(shop.firm.pk):
        assert Order.objects.filter(kind=kind).count() == 1
        assert AuditEvent.objects.filter(verb__in=["endpoint.pause", "endpoint.stop"]).count() == 1


def test_a_silent_site_is_named_until_it_answers(shop: Shop) -> None:
    done = free(shop)
    Site.objects.filter(code="daegu-1").update(trouble="The site is away.", trouble_since=NOON)

    with rls.tenant(shop.firm.pk):
        living = Placement.objects.living().select_related("site")
        assert queries.freeing_order_of(own(shop)) == done
        found = freed.progress(done, living)

    assert [(one.site.code, one.replicas, one.silent) for one in found.sites] == [
        ("daegu-1", 1, True)
    ]
    assert not found.counted


def test_the_sweep_reads_only_what_is_under_way(shop: Shop) -> None:
    with CaptureQueriesContext(connection) as asked:
        freeing_orders.sweep(now=NOON)
    (sql,) = [one["sql"] for one in asked if 'FROM "deployments_order"' in one["sql"]]

    with rls.everyone(because="tests"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # a table of a few rows needs no index
        cursor.execute(f"EXPLAIN {sql}")
        plan = " ".join(line for (line,) in cursor.fetchall())

    assert "order_freeing" in plan
