"""A request admitted before midnight of a month's last day and settled after it."""

from __future__ import annotations

import pytest

from portal.admission import keys
from tests.admission import counters
from tests.admission.cell import CELL, GRANT, Cell

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
