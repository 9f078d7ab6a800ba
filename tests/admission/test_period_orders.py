"""Orders, beginnings, late events and the fence with budgets of a year or without an end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import redis

from portal.admission import calls, fencing
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.lib import ids
from tests.admission.cell import CELL, GRANT, ORG_CODE, SHA, TAG, Cell, change
from tests.admission.test_arithmetic import SEOUL
from tests.admission.test_periods import (
    NAMES,
    RUNNING,
    YEARLY,
    limit_of_year,
    mixed,
    same,
    used,
    year,
)

__all__ = ["mixed"]  # a fixture


# ─── orders ────────────────────────────────────────────────────────────────────────────────────


def test_a_months_order_counts_in_its_month_its_year_and_for_ever(mixed: Cell) -> None:
    mixed.reserve("ord_1", 400, NAMES)
    assert used(mixed) == same(0, 0, 400)
    mixed.commit("ord_1", 350, NAMES)
    assert used(mixed) == same(0, 350, 0)

    with pytest.raises(Refused) as refused:
        mixed.reserve("ord_2", 651, NAMES)

    assert refused.value.name == "org_acme"
    assert used(mixed) == same(0, 350, 0)


def test_a_years_order_counts_in_budgets_without_a_month(mixed: Cell) -> None:
    mixed.reserve("ord_1", 400, [YEARLY, RUNNING], month=year(mixed))
    mixed.commit("ord_1", 400, [YEARLY, RUNNING], month=year(mixed))

    assert [mixed.used(name) for name in (YEARLY, RUNNING)] == [(0, 400, 0)] * 2
    assert mixed.used("org_acme") == (0, 0, 0)


@pytest.mark.parametrize("call", ["reserve", "commit"])
def test_a_years_order_cannot_count_by_month(mixed: Cell, call: str) -> None:
    with pytest.raises((redis.ResponseError, AdmissionUnavailable), match="not a month"):
        getattr(mixed, call)("ord_1", 5, NAMES, month=year(mixed))

    assert used(mixed) == same(0, 0, 0)


def test_an_order_told_again_with_another_chain_moves(mixed: Cell) -> None:
    mixed.commit("ord_1", 100, ["org_acme"])

    mixed.commit("ord_1", 100, NAMES)
    mixed.commit("ord_1", 100, NAMES)

    assert used(mixed) == same(0, 100, 0)


def test_orders_are_known_as_long_as_what_they_count_in(mixed: Cell) -> None:
    """Told again after a loss they must not count twice."""
    mixed.commit("ord_m", 1, ["org_acme"], month="2001-01")
    mixed.commit("ord_y", 1, [YEARLY], month="2001-01")
    mixed.commit("ord_r", 1, [RUNNING], month="2001-01")
    mixed.commit("ord_now", 1, [YEARLY])

    def ttl(reference: str, month: str) -> int:
        return int(mixed.client.ttl(f"{TAG}:order:{reference}:{month}"))

    assert 86_390 <= ttl("ord_m", "2001-01") <= 86_400
    assert 86_390 <= ttl("ord_y", "2001-01") <= 86_400
    assert ttl("ord_r", "2001-01") > 19 * 366 * 86_400
    left = datetime(int(year(mixed)) + 1, 1, 1, tzinfo=SEOUL) - datetime.now(SEOUL)
    found = timedelta(seconds=ttl("ord_now", mixed.month()))
    assert timedelta(days=99) < found - left < timedelta(days=101)


def test_stale_orders_tell_their_period(mixed: Cell) -> None:
    mixed.reserve("ord_1", 1, [YEARLY], month=year(mixed))
    mixed.reserve("ord_2", 1)
    mixed.client.zadd(f"{TAG}:reserved", {f"{year(mixed)}:ord_1": 1, f"{mixed.month()}:ord_2": 2})

    found = mixed.admission.stale_orders(CELL, older_ms=1000)

    assert found == [("ord_1", year(mixed)), ("ord_2", mixed.month())]


# ─── beginning, late events, the fence ─────────────────────────────────────────────────────────


def begin(cell: Cell, limit: str, period: str, spent: int) -> bytes:
    reply: bytes = cell.ask(calls.begin(CELL, limit=limit, period=period, spent_micro=spent))
    return reply


def test_a_new_budget_begins_with_what_its_period_has_spent(cell: Cell) -> None:
    assert begin(cell, f"org_acme@{year(cell)}", year(cell), 700) == b"begun"
    limit_of_year(cell, 1000)
    cell.publish(change(GRANT, number=11, budgets=NAMES[:3]))

    assert cell.used(YEARLY) == (700, 0, 0)
    with pytest.raises(Refused, match=YEARLY):
        cell.hold(301)


def test_a_budget_that_counts_does_not_begin_again(mixed: Cell) -> None:
    mixed.hold(300)

    assert begin(mixed, RUNNING, "running", 0) == b"known"

    assert mixed.used(RUNNING) == (0, 0, 300)


def test_late_events_find_the_budgets_that_count_their_subjects(mixed: Cell) -> None:
    mixed.admission.set_more(ORG_CODE, subject="org_acme", names=[YEARLY, "bln_all@year"])
    mixed.admission.set_more(ORG_CODE, subject="prj_one", names=[RUNNING])

    charged = mixed.charge_late(ids.mint_request_id(), 50, ["org_acme", "prj_one", "key_one"])

    assert charged == 50
    assert used(mixed) == same(50, 0, 0)
    mixed.admission.set_more(ORG_CODE, subject="prj_one", names=[])
    mixed.charge_late(ids.mint_request_id(), 5, ["prj_one"])
    assert (mixed.used(RUNNING), mixed.used("prj_one")) == ((50, 0, 0), (55, 0, 0))


def test_a_hold_that_is_told_again_counts_in_all_kinds(mixed: Cell) -> None:
    going = mixed.hold(300)
    mixed.client.flushdb()
    mixed.admission.close_cells(9)
    mixed.publish(change(GRANT, number=11, budgets=NAMES))
    for name in ("org_acme", "prj_one", RUNNING):
        mixed.limit(name, 1000)
    limit_of_year(mixed, 1000)
    hold = fencing.Hold(
        request_id=going,
        sha256=SHA,
        month=mixed.month(),
        worst_micro=300,
        subjects=[*NAMES, "key_one"],
        key="key_one",
        organization="org_acme",
    )

    assert mixed.ask(fencing.reassert(CELL, 9, hold)) == b"open"

    assert used(mixed) == same(0, 0, 300)
    for name, period in ((YEARLY, year(mixed)), (RUNNING, "running")):
        assert mixed.admission.restore(
            ORG_CODE, subject=name, month=period, spent_micro=77, committed_micro=None
        )
    mixed.admission.open_cells(9)
    assert mixed.settle(going, 100) == ("settled", 100)
    assert mixed.used(YEARLY) == mixed.used(RUNNING) == (177, 0, 0)


def test_reads_all_kinds_of_a_key_with_when_they_begin_anew(mixed: Cell) -> None:
    mixed.hold(300)

    found = mixed.admission.limits(ORG_CODE, [SHA])

    assert found.keys[SHA].chain == NAMES
    assert set(found.budgets) == set(NAMES)
    assert found.budgets[YEARLY].held == 300
    assert 0 < found.month_left_ms <= found.year_left_ms <= 366 * 86_400_000


def test_asks_of_many_budgets_in_one_question(mixed: Cell) -> None:
    mixed.hold(300)

    found = mixed.admission.standings(ORG_CODE, [*NAMES, "prj_none"], month=mixed.month())

    assert {name: one.held for name, one in found.items()} == dict.fromkeys(NAMES, 300)
