"""After a loss: what gateways tell again counts again, once, and only while nobody is admitted."""

from __future__ import annotations

from typing import Any

import pytest

from portal.admission import calls, fencing, keys
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.admission.fencing import Hold
from portal.lib import ids
from tests import minutes
from tests.admission.cell import CELL, EPOCH, GRANT, ORG_CODE, SHA, TAG, Cell, change

ROUND = EPOCH + 1


def hold(cell: Cell, request_id: str, worst: int = 300) -> Hold:
    return Hold(
        request_id=request_id,
        sha256=SHA,
        month=cell.month(),
        worst_micro=worst,
        subjects=[*GRANT.budgets, "key_one"],  # a budget that nobody published
        key="key_one",
        organization="org_acme",
    )


def reassert(cell: Cell, request_id: str, number: int = ROUND) -> bytes:
    reply: bytes = cell.ask(fencing.reassert(CELL, number, hold(cell, request_id)))
    return reply


def resettle(cell: Cell, request_id: str, cost: int, charged: int) -> bytes:
    command = fencing.resettle(
        CELL, ROUND, request_id=request_id, cost_micro=cost, charged_micro=charged, event=b"e"
    )
    reply: bytes = cell.ask(command)
    return reply


@pytest.fixture
def closed(cell: Cell) -> Cell:
    """Emptied, closed for a round, its limits published again."""
    cell.client.flushdb()
    cell.admission.close_cells(ROUND)
    cell.publish(GRANT)
    for subject in GRANT.budgets:
        cell.limit(subject, 1000)
    return cell


def test_an_emptied_server_is_rebuilt(cell: Cell) -> None:
    going, ended, settled = cell.hold(300), cell.hold(100), cell.hold(200)
    cell.settle(settled, 150)
    cell.commit("ord_1", 100)
    cell.client.flushdb()

    cell.admission.close_cells(ROUND)
    cell.publish(GRANT)
    for subject in GRANT.budgets:
        cell.limit(subject, 1000)
    with pytest.raises(Refused, match="closed"):
        cell.admit()
    cell.commit("ord_1", 100)
    assert reassert(cell, going) == b"open"
    assert reassert(cell, ended) == b"open"
    assert resettle(cell, settled, 150, 150) == b"settled"
    assert cell.settle(ended, 90) == ("settled", 90)
    for subject in GRANT.budgets:
        cell.admission.restore(
            ORG_CODE,
            subject=subject,
            month=cell.month(),
            spent_micro=240,
            committed_micro=None,
        )
    cell.admission.open_cells(ROUND, cell.admission.run_id())

    assert cell.used() == cell.used("prj_one") == (240, 100, 300)
    assert cell.settle(going, 250) == ("settled", 250)
    assert cell.used() == (490, 100, 0)
    assert cell.busy() == 0
    assert [one[b"settled_micro"] for one in cell.events()] == [b"150", b"90", b"250"]


def test_a_hold_counts_once_however_often_it_is_told(closed: Cell) -> None:
    going = ids.mint_request_id()

    for _ in range(3):
        assert reassert(closed, going) == b"open"

    assert closed.used() == (0, 0, 300)
    assert closed.busy() == 1
    assert closed.leases() == {going}
    assert closed.renew(going) == []
    assert closed.release(going) == "released"
    assert closed.used() == (0, 0, 0)
    assert closed.busy() == 0


def test_a_hold_is_not_refused_for_want_of_room(closed: Cell) -> None:
    for _ in range(5):
        assert reassert(closed, ids.mint_request_id()) == b"open"

    assert closed.used() == (0, 0, 1500)


def test_a_hold_that_lapsed_meanwhile_lives_again(cell: Cell) -> None:
    going = cell.hold(300)
    cell.lapse(going)
    cell.expire()
    cell.admission.close_cells(ROUND)

    assert reassert(cell, going) == b"open"

    assert cell.used() == (0, 0, 300)
    assert cell.client.ttl(keys.record(CELL, going)) == -1
    assert cell.expire() == 0


@pytest.mark.parametrize("end", ["settled", "released"])
def test_what_has_ended_is_not_held_again(cell: Cell, end: str) -> None:
    gone = cell.hold(300)
    cell.settle(gone, 200) if end == "settled" else cell.release(gone)
    cell.admission.close_cells(ROUND)
    before = cell.used()

    assert reassert(cell, gone) == end.encode()

    assert cell.used() == before


def test_nothing_is_told_again_once_the_round_is_over(closed: Cell) -> None:
    assert reassert(closed, ids.mint_request_id(), ROUND - 1) == fencing.OVER
    closed.admission.open_cells(ROUND)

    assert reassert(closed, ids.mint_request_id()) == fencing.OVER
    assert resettle(closed, ids.mint_request_id(), 5, 5) == fencing.OVER

    assert closed.used() == (0, 0, 0)
    assert closed.events() == []


def test_a_settlement_stands_as_it_was_charged_and_once(closed: Cell) -> None:
    gone = ids.mint_request_id()

    assert resettle(closed, gone, 70, 50) == b"settled"
    assert resettle(closed, gone, 70, 50) == b"repeated"
    assert closed.settle(gone, 70) == ("repeated", 50)

    [event] = closed.events()
    assert (event[b"settled_micro"], event[b"written_off_micro"]) == (b"50", b"20")
    assert event[b"late"] == b"0"


def test_a_settlement_frees_the_hold_of_an_older_copy(cell: Cell) -> None:
    gone = cell.hold(300)
    cell.admission.close_cells(ROUND)

    assert resettle(cell, gone, 200, 200) == b"settled"

    assert cell.used() == (200, 0, 0)
    assert cell.leases() == set()


@pytest.mark.parametrize("lapsed", [False, True])
def test_what_the_ledger_has_is_not_charged_by_the_hold_of_an_older_copy(
    cell: Cell, lapsed: bool
) -> None:
    booked, going = cell.hold(300), cell.hold(100)
    if lapsed:
        cell.lapse(booked)
        cell.expire()
    cell.admission.close_cells(ROUND)

    assert cell.ask(fencing.end_booked(CELL, ROUND, [booked, ids.mint_request_id()])) == 1

    assert cell.used() == (0, 0, 100)
    assert cell.leases() == {going}
    cell.admission.open_cells(ROUND, cell.admission.run_id())
    assert cell.settle(booked, 200) == ("late", 0)  # intake knows it
    assert cell.settle(going, 60) == ("settled", 60)
    assert cell.used() == (60, 0, 0)


def test_nothing_is_told_again_once_the_cell_is_being_counted(closed: Cell) -> None:
    """A settlement would come into the ledger and not into the counters."""
    late = ids.mint_request_id()
    assert closed.ask(fencing.end_booked(CELL, ROUND - 1, [])) == fencing.OVER
    assert closed.ask(fencing.end_booked(CELL, ROUND, [])) == 0

    assert reassert(closed, late) == fencing.OVER
    assert resettle(closed, late, 5, 5) == fencing.OVER
    assert (closed.used(), closed.events()) == ((0, 0, 0), [])

    closed.admission.close_cells(ROUND)  # another try
    assert resettle(closed, late, 5, 5) == b"settled"


@pytest.mark.parametrize("why", ["closed", "another server"])
def test_what_has_no_hold_waits_until_the_counters_are_right(cell: Cell, why: str) -> None:
    lapsed = cell.hold(300)
    cell.lapse(lapsed)
    cell.expire()
    going = cell.hold(100)
    unknown = ids.mint_request_id()
    if why == "closed":
        cell.admission.close_cells(ROUND)
    else:
        cell.admission.open_cells(EPOCH, "f" * 40)

    for request_id in (lapsed, unknown):
        with pytest.raises(Exception, match="are being checked"):
            cell.settle(request_id, 250)
    with pytest.raises(AdmissionUnavailable, match="are being checked"):
        cell.charge_late(unknown, 250)
    assert cell.settle(going, 60) == ("settled", 60)  # what is held settles always

    cell.admission.open_cells(ROUND, cell.admission.run_id())
    assert cell.settle(lapsed, 250) == ("settled", 250)
    assert cell.settle(unknown, 250) == ("late", 0)
    assert cell.charge_late(unknown, 250) == 250


def test_an_older_round_changes_nothing(cell: Cell) -> None:
    cell.admission.close_cells(ROUND + 1)

    for call in (cell.admission.close_cells, cell.admission.open_cells):
        with pytest.raises(Refused, match="older"):
            call(ROUND)
    cell.admission.open_cells(ROUND + 1)

    assert set(cell.admission.epochs()) == {ROUND + 1}


def test_a_limit_counts_also_below_what_is_used(cell: Cell) -> None:
    cell.hold(300)

    def restore(number: int) -> Any:
        return cell.ask(
            fencing.restore_limit(
                CELL, subject="org_acme", limit_micro=100, hard=True, number=number
            )
        )

    assert restore(2) == b"open"
    assert cell.standing().limit == 1000
    cell.admission.close_cells(ROUND)
    cell.limit("org_acme", 900, number=5)

    assert restore(4) == b"older_number"
    assert restore(5) == b"restored"

    assert cell.standing().limit == 100


def test_an_empty_stream_begins_above_what_the_ledger_has(closed: Cell) -> None:
    closed.ask(calls.close_cell(CELL, ROUND, "9999999999999-5"))

    resettle(closed, ids.mint_request_id(), 1, 1)

    found: Any = closed.client.xrange(f"{TAG}:events")
    assert [entry for entry, _ in found] == [b"9999999999999-6"]
    about: Any = closed.client.xinfo_stream(f"{TAG}:events")
    assert (about["entries-added"], about["groups"]) == (1, 0)


def test_new_events_have_ids_above_what_the_ledger_has(cell: Cell) -> None:
    cell.settle(cell.hold(10), 10)
    far = "9999999999999-5"
    cell.ask(calls.close_cell(CELL, ROUND, far))
    cell.ask(calls.close_cell(CELL, ROUND, "17-0"))  # behind: nothing moves

    resettle(cell, ids.mint_request_id(), 1, 1)

    found: Any = cell.client.xrange(f"{TAG}:events")
    assert [entry for entry, _ in found][1:] == [b"9999999999999-6"]


def counted_subjects(cell: Cell) -> set[str]:
    """Whose counters stand in Valkey, whether or not somebody published a budget."""
    names: Any = cell.client.hkeys(keys.used(CELL, cell.month()))
    return {name.decode() for name in names if not name.startswith(b"use:")}


def test_nothing_is_counted_for_a_budget_that_nobody_published(closed: Cell) -> None:
    """Its first limit would come with a part of what was used."""
    reassert(closed, ids.mint_request_id())
    closed.admission.open_cells(ROUND, closed.admission.run_id())

    closed.charge_late(ids.mint_request_id(), 50, [*GRANT.budgets, "key_one"])

    assert counted_subjects(closed) == set(GRANT.budgets)


def test_a_hold_that_an_older_copy_shows_has_a_new_lease(cell: Cell) -> None:
    """The copy's may be over by now, and the request goes on."""
    going = cell.hold(300)
    cell.lapse(going)
    cell.admission.close_cells(ROUND)

    assert reassert(cell, going) == b"open"

    assert cell.expire() == 0
    assert cell.used() == (0, 0, 300)


@pytest.mark.parametrize("shown", ["open", "lapsed", "released"])
def test_a_settlement_is_told_whatever_an_older_copy_shows(cell: Cell, shown: str) -> None:
    """Charged as it was: the count puts it into the sum of what has no hold any more."""
    gone = cell.hold(300)
    if shown == "lapsed":
        cell.lapse(gone)
        cell.expire()
    if shown == "released":
        cell.release(gone)
    cell.admission.close_cells(ROUND)

    assert resettle(cell, gone, 250, 200) == b"settled"

    assert cell.used() == (200 if shown == "open" else 0, 0, 0)
    assert len(cell.events()) == 1
    assert cell.settle(gone, 250) == ("repeated", 200)


def test_tokens_of_the_minute_stay_counted(cell: Cell) -> None:
    """How many were used is not told again."""
    cell.publish(change(GRANT, number=11, tpm=1000))
    minutes.begin_early()
    gone = cell.hold(300)
    cell.admission.close_cells(ROUND)

    resettle(cell, gone, 10, 10)

    assert cell.window()[2] == 300


def test_an_older_count_does_not_end_the_telling(closed: Cell) -> None:
    assert closed.ask(fencing.end_booked(CELL, ROUND - 1, [])) == fencing.OVER

    assert reassert(closed, ids.mint_request_id()) == b"open"
    assert resettle(closed, ids.mint_request_id(), 5, 5) == b"settled"


def test_the_count_leaves_alone_what_has_settled(cell: Cell) -> None:
    gone = cell.hold(300)
    cell.settle(gone, 200)
    cell.admission.close_cells(ROUND)

    assert cell.ask(fencing.end_booked(CELL, ROUND, [gone])) == 0

    assert cell.settle(gone, 200) == ("repeated", 200)


@pytest.mark.parametrize("hard", [True, False])
def test_a_limit_that_comes_back_is_as_hard_as_its_row(closed: Cell, hard: bool) -> None:
    closed.limit("org_acme", 900, hard=not hard, number=1)
    command = fencing.restore_limit(CELL, subject="org_acme", limit_micro=100, hard=hard, number=2)

    assert closed.ask(command) == b"restored"

    assert closed.standing().hard is hard


def test_new_events_come_after_the_ledgers_also_within_a_millisecond(closed: Cell) -> None:
    """The newest of the stream and of the ledger may be of one moment."""
    at = "9999999999999"
    closed.ask(calls.close_cell(CELL, ROUND, f"{at}-9"))
    resettle(closed, ids.mint_request_id(), 1, 1)

    closed.ask(calls.close_cell(CELL, ROUND, f"{at}-5"))  # nothing moves back
    closed.ask(calls.close_cell(CELL, ROUND, f"{at}-20"))
    resettle(closed, ids.mint_request_id(), 1, 1)

    found: Any = closed.client.xrange(f"{TAG}:events")
    assert [entry.decode() for entry, _ in found] == [f"{at}-10", f"{at}-21"]
