"""A request admitted before midnight of a month's last day and settled after it."""

from __future__ import annotations

from datetime import datetime

import pytest

from portal.admission import keys
from tests.admission import counters
from tests.admission.cell import CELL, GRANT, TAG, Cell, change, command_of_admit
from tests.admission.test_arithmetic import SEOUL, TEXT

BEFORE = "2001-01"


def admitted_last_month(cell: Cell, worst: int) -> str:
    """A hold as it stands once the month turned: record and sums are of the month before."""
    request_id, now = cell.hold(worst), cell.month()
    name = keys.record(CELL, request_id)
    record = cell.client.get(name).decode()
    cell.client.set(name, record.replace(f" {now} ", f" {BEFORE} ", 1))
    for subject in GRANT.budgets:
        counters.add(cell.client, CELL, subject, now, held=-worst)
        counters.add(cell.client, CELL, subject, BEFORE, held=worst)
    return request_id


def used(cell: Cell, subject: str, month: str) -> tuple[int, int]:
    now = cell.standing(subject, month)
    return now.spent, now.held


@pytest.mark.parametrize("subject", GRANT.budgets)
def test_settlement_past_midnight_belongs_to_the_month_of_admission(
    cell: Cell, subject: str
) -> None:
    request_id = admitted_last_month(cell, 300)

    assert cell.settle(request_id, 200) == ("settled", 200)

    assert used(cell, subject, BEFORE) == (200, 0)
    assert used(cell, subject, cell.month()) == (0, 0)


@pytest.mark.parametrize("end", ["release", "expire"])
def test_a_hold_past_midnight_is_freed_in_the_month_of_admission(cell: Cell, end: str) -> None:
    request_id = admitted_last_month(cell, 300)

    if end == "release":
        cell.release(request_id)
    else:
        cell.lapse(request_id)
        cell.expire()

    assert used(cell, "org_acme", BEFORE) == (0, 0)
    assert used(cell, "org_acme", cell.month()) == (0, 0)


def test_lapsed_then_settled_past_midnight_uses_the_room_of_the_month_of_admission(
    cell: Cell,
) -> None:
    request_id = admitted_last_month(cell, 300)
    cell.lapse(request_id)
    cell.expire()
    counters.add(cell.client, CELL, "org_acme", BEFORE, spent=900)

    assert cell.settle(request_id, 200) == ("settled", 100)

    assert used(cell, "org_acme", BEFORE) == (1000, 0)


def test_a_months_counters_go_a_hundred_days_past_it(cell: Cell) -> None:
    cell.commit("ord_1", 5)
    cell.commit("ord_2", 5, month=BEFORE)

    assert cell.client.ttl(keys.used(CELL, cell.month())) > 99 * 86_400
    assert 86_390 <= cell.client.ttl(keys.used(CELL, BEFORE)) <= 86_400


def test_a_month_that_is_gone_is_forgotten_with_the_next_limit(cell: Cell) -> None:
    cell.commit("ord_1", 5)
    cell.commit("ord_2", 5, month=BEFORE)
    cell.limit("org_acme", 900, number=2)
    assert cell.client.hkeys(f"{TAG}:months") == [cell.month().encode(), BEFORE.encode()]

    cell.client.delete(keys.used(CELL, BEFORE))
    cell.limit("org_acme", 800, number=3)

    assert cell.client.hkeys(f"{TAG}:months") == [cell.month().encode()]


@pytest.mark.parametrize(("places", "reason"), [(4, "concurrency"), (5, "")])
def test_what_runs_since_last_month_takes_a_place_on_the_first_day(
    cell: Cell, places: int, reason: str
) -> None:
    """The functions are run as text, which is told that it is the first day."""
    cell.publish(change(GRANT, number=11, concurrency=places))
    counters.set_use(cell.client, CELL, "key_one", BEFORE, (1, 1, 0, 3))
    cell.hold(1)
    code = f"""
    this_month(now_ms())
    month_before = '{BEFORE}'
    return admit(KEYS, ARGV)"""
    _, _, _, _, *arguments = command_of_admit(grant_number=11)

    reply = cell.client.eval(f"{TEXT}\n{code}", 1, TAG, *arguments)

    assert reply[:2] == [b"no", reason.encode()] if reason else reply[0] == b"ok"


def test_the_month_before_is_told_on_the_first_day_only(cell: Cell) -> None:
    code = """
    local r = {}
    for i = 1, #ARGV do
      local month, before = this_month(tonumber(ARGV[i]))
      r[i] = month .. ' ' .. tostring(before)
    end
    return r"""
    first = int(datetime(2027, 1, 1, tzinfo=SEOUL).timestamp() * 1000)
    day = 86_400_000

    found = cell.client.eval(f"{TEXT}\n{code}", 0, first - 1, first, first + day - 1, first + day)

    assert found == [b"2026-12 nil", b"2027-01 2026-12", b"2027-01 2026-12", b"2027-01 nil"]


def test_idle_budgets_are_small(own_cell: Cell) -> None:
    """Of a month, on a server configured as ours."""
    for number in range(500):
        own_cell.commit(f"ord_{number}", 5, [f"prj_{number:016d}"])
        own_cell.limit(f"prj_{number:016d}", 10**15, number=1)

    for name in (keys.used(CELL, own_cell.month()), keys.limits(CELL)):
        assert own_cell.client.object("ENCODING", name) == b"hashtable"
        assert own_cell.client.memory_usage(name, samples=0) / 500 < 128
