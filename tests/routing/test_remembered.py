"""What a look remembers of the one before: the rows, the grants that rest on them, the limits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.models import Budget, BudgetRaise
from portal.fleet.models import Site
from portal.lib.periods import day_period, seoul_date
from portal.routing import snapshot
from portal.routing.remembered import TURNS_FOR_ALL, Turns
from portal.routing.remembered import Rows as Remembered
from portal.routing.snapshot import Memory
from tenants import rls
from tenants.models import ApiKey, OperatorHold, Organization, PaymentHold, Project
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows


@pytest.fixture
def keys() -> Callable[[], dict[str, ApiKey]]:
    memory, looks = Remembered[ApiKey](), itertools.count()

    def look() -> dict[str, ApiKey]:
        with rls.everyone(because="test"):
            live = ApiKey.objects.filter(revoked_at=None)
            turn = next(looks) % TURNS_FOR_ALL
            return {one.name: one for one in memory.look(live, turn).values()}

    return look


def change(row: ApiKey, **fields: object) -> None:
    with rls.everyone(because="test set-up"):
        ApiKey.objects.filter(pk=row.pk).update(**fields)


def test_reads_again_what_was_written(rows: Rows, keys: Callable[[], dict[str, ApiKey]]) -> None:
    factories.api_key(rows.project, rows.cast.alice.may, "zweiter")
    first = keys()
    change(rows.key, rpm_limit=7)

    second = keys()

    assert second["erp-연동"].rpm_limit == 7
    assert second["erp-연동"] is not first["erp-연동"]
    assert second["zweiter"] is first["zweiter"]


def test_finds_what_comes_and_what_goes(rows: Rows, keys: Callable[[], dict[str, ApiKey]]) -> None:
    assert list(keys()) == ["erp-연동"]
    factories.api_key(rows.project, rows.cast.alice.may, "zweiter")
    assert list(keys()) == ["erp-연동", "zweiter"]
    change(rows.key, revoked_at=NOON)
    assert list(keys()) == ["zweiter"]
    change(rows.key, revoked_at=None)
    assert list(keys()) == ["erp-연동", "zweiter"]


def test_reads_all_again_within_its_turns(
    rows: Rows, keys: Callable[[], dict[str, ApiKey]]
) -> None:
    """Whatever a mark may hide."""
    first = keys()["erp-연동"]

    seen = [keys()["erp-연동"] for _ in range(TURNS_FOR_ALL)]

    assert sum(one is not before for before, one in zip([first, *seen], seen, strict=False)) == 1


def test_a_look_right_after_another_has_no_turn() -> None:
    """It was rung for: what was written is all that it is for."""
    turns = Turns()
    moments = (0.0, 0.1, 0.34, 0.4, 0.5, 0.8)

    found = [turns.next(NOON + timedelta(seconds=one)) for one in moments]

    assert found == [1, None, None, 2, None, 3]


def test_turns_go_on_with_a_clock_that_went_back() -> None:
    turns = Turns()

    assert turns.next(NOON) == 1
    assert turns.next(NOON - timedelta(hours=1)) == 2


def hold(rows: Rows) -> None:
    OperatorHold.objects.create(
        public_id="hold_0000000000000001",
        organization=rows.firm,
        because="test",
        held_at=NOON,
        held_by="olivia",
    )


def hold_payment(rows: Rows) -> None:
    PaymentHold.objects.create(
        public_id="hold_0000000000000002", organization=rows.firm, held_at=NOON
    )


def close(rows: Rows) -> None:
    Organization.objects.filter(pk=rows.firm.pk).update(closed_at=NOON)


def less(rows: Rows) -> None:
    Budget.objects.filter(organization=rows.firm).update(limit_won=5, number=99)


def end_budget(rows: Rows) -> None:
    Budget.objects.filter(organization=rows.firm).update(closed_at=NOON)


def raise_it(rows: Rows) -> None:
    budget = Budget.objects.get(organization=rows.firm)
    wish = factories.budget_raise(budget, rows.cast.alice.may)
    BudgetRaise.objects.filter(pk=wish.pk).update(
        decision="approved", decided_at=NOON, until_at=NOON + timedelta(days=1)
    )


def move_site(rows: Rows) -> None:
    Site.objects.filter(pk=rows.busan.pk).update(data_classes=["open"])
    Project.objects.filter(pk=rows.project.pk).update(data_class="medical")


@pytest.mark.parametrize("deed", [hold, hold_payment, close, less, end_budget, raise_it, move_site])
def test_says_what_one_without_memory_says(
    rows: Rows, remembered: Memory, deed: Callable[[Rows], None]
) -> None:
    before = snapshot.take(now=NOON, demands=[])
    with rls.everyone(because="test set-up"):
        deed(rows)

    after = snapshot.take(now=NOON, demands=[])

    assert (after.grants, after.limits) != (before.grants, before.limits)


def test_a_raise_that_ends_is_seen_to_end(rows: Rows, remembered: Memory) -> None:
    with rls.everyone(because="test set-up"):
        raise_it(rows)
    (lasting,) = snapshot.take(now=NOON, demands=[]).limits

    (ended,) = snapshot.take(now=NOON + timedelta(days=1), demands=[]).limits

    assert ended[1].micro < lasting[1].micro


def test_a_budget_that_ends_on_a_day_is_told_anew_after_its_midnight(
    rows: Rows, remembered: Memory
) -> None:
    tomorrow = seoul_date(NOON) + timedelta(days=1)
    with rls.everyone(because="test set-up"):
        Budget.objects.filter(organization=rows.firm).update(
            period="running", starts_on=seoul_date(NOON), ends_on=tomorrow
        )
    (before,) = snapshot.take(now=NOON, demands=[]).limits

    (after,) = snapshot.take(now=day_period(tomorrow).start, demands=[]).limits

    assert (before[1].micro > 0, len(before[1].later)) == (True, 1)
    assert (after[1].micro, after[1].later) == (0, ())


def test_makes_a_grant_anew_only_where_it_says_something_else(rows: Rows) -> None:
    other, _ = factories.api_key(rows.project, rows.cast.alice.may, "zweiter")
    memory = Memory()
    first = snapshot.take(now=NOON, demands=[], memory=memory)
    change(rows.key, rpm_limit=7)
    change(other, name="anders")  # which nobody is told

    second = snapshot.take(now=NOON, demands=[], memory=memory)

    assert second.grants[rows.key.sha256][0].number == second.number
    assert second.grants[other.sha256] is first.grants[other.sha256]
    assert second.limits[0][1] is first.limits[0][1]


@pytest.mark.django_db(transaction=True)
def test_a_look_sees_nothing_of_what_comes_amid_it(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An organization that is founded while the look reads would have a key and no row."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    def found() -> None:
        firm = factories.organization("새 회사", number="2148100998")
        owner = factories.member(factories.user("new@example.com"), firm)
        factories.api_key(factories.project(firm), owner)
        connection.close()

    memory = Memory()
    look = memory.limits.look

    def amid(*given: object, **named: object) -> object:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(found).result()
        return look(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(memory.limits, "look", amid)
    taken = snapshot.take(now=NOON, demands=[], memory=memory)
    later = snapshot.take(now=NOON, demands=[])

    assert len(taken.grants) == 1
    assert len(later.grants) == 2
