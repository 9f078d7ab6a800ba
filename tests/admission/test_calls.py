"""What each call does, once and repeated, and the crash stories of the admission protocol."""

from __future__ import annotations

import pytest
import redis

from portal.admission import calls, keys, library
from portal.admission.calls import Refused
from portal.lib import ids
from tests.admission.cell import CELL, GRANT, ORG_CODE, TAG, Cell, change, command_of_admit


def test_settlement_frees_the_hold_and_charges_the_cost(cell: Cell) -> None:
    request = cell.hold(300)

    assert cell.settle(request, 120, b"what happened") == ("settled", 120)

    assert cell.used() == cell.used("prj_one") == (120, 0, 0)
    assert (cell.busy(), cell.leases()) == (0, set())
    assert cell.events() == [
        {
            b"event": b"what happened",
            b"settled_micro": b"120",
            b"written_off_micro": b"0",
            b"late": b"0",
        }
    ]


def test_never_charges_more_than_was_held(cell: Cell) -> None:
    request = cell.hold(300)

    assert cell.settle(request, 450) == ("settled", 300)

    assert cell.events()[0][b"written_off_micro"] == b"150"
    assert cell.used() == (300, 0, 0)


def test_zero_is_a_cost(cell: Cell) -> None:
    assert cell.settle(cell.hold(300), 0) == ("settled", 0)

    assert len(cell.events()) == 1
    assert cell.used() == (0, 0, 0)


def test_the_same_admit_gives_the_same_answer(cell: Cell) -> None:
    command = command_of_admit(grant_number=9)

    first, second = cell.ask(command), cell.ask(command)

    assert first == second
    assert cell.used() == (0, 0, 300)
    assert cell.busy() == 1
    assert cell.admit(tokens_out=0).rpm_left == 99_998


def test_a_repeated_settlement_changes_nothing(cell: Cell) -> None:
    request = cell.hold(300)
    cell.settle(request, 120)

    assert cell.settle(request, 250) == ("repeated", 120)

    assert cell.used() == (120, 0, 0)
    assert len(cell.events()) == 1


@pytest.mark.parametrize("cost", ["-1", "1.5", "x", "", "inf", "nan", str(2**53)])
def test_a_cost_that_is_none_writes_nothing(cell: Cell, cost: str) -> None:
    request = cell.hold(300)

    with pytest.raises(redis.ResponseError, match="not an amount"):
        cell.client.execute_command("FCALL", "settle_3", 1, TAG, request, cost, b"event")

    assert cell.used() == (0, 0, 300)
    assert cell.events() == []
    assert cell.settle(request, 5) == ("settled", 5)


def test_release_frees_once_and_leaves_no_event(cell: Cell) -> None:
    request = cell.hold(300)

    assert [cell.release(request), cell.release(request)] == ["released", "released"]

    assert cell.used() == (0, 0, 0)
    assert (cell.busy(), cell.leases(), cell.events()) == (0, set(), [])


def test_release_after_settlement_changes_nothing(cell: Cell) -> None:
    request = cell.hold(300)
    cell.settle(request, 120)

    assert cell.release(request) == "settled"
    assert cell.used() == (120, 0, 0)
    assert cell.settle(request, 120) == ("repeated", 120)


def test_renewal_moves_the_lease(cell: Cell) -> None:
    request = cell.hold(300)
    cell.lapse(request)

    assert cell.renew(request) == []

    assert cell.expire() == 0
    score = cell.client.zscore(f"{TAG}:leases", request)
    seconds, _ = cell.client.time()
    assert score is not None
    assert 58_000 <= score - seconds * 1000 <= 61_000


def test_renewal_names_every_stream_that_must_end(cell: Cell) -> None:
    going, over, settled = cell.hold(100), cell.hold(100), cell.hold(100)
    cell.lapse(over)
    cell.expire()
    cell.settle(settled, 1)
    unknown = ids.mint_request_id()

    assert cell.renew(going, over, settled, unknown) == [over, settled, unknown]
    assert cell.leases() == {going}


def test_renewal_ends_streams_of_a_revoked_or_ended_key(cell: Cell) -> None:
    request = cell.hold(300)

    cell.publish(change(GRANT, number=11, expires_at_ms=1))
    assert cell.renew(request) == [request]
    cell.publish(change(GRANT, number=12))
    assert cell.renew(request) == []
    cell.publish(change(GRANT, number=13), revoked=True)
    assert cell.renew(request) == [request]

    assert cell.settle(request, 120) == ("settled", 120)  # what was produced is paid


def test_expire_ends_only_leases_that_ran_out(cell: Cell) -> None:
    over, going = cell.hold(300), cell.hold(100)
    cell.lapse(over)

    assert [cell.expire(), cell.expire()] == [1, 0]

    assert cell.used() == (0, 0, 100)
    assert (cell.busy(), cell.leases()) == (1, {going})
    assert cell.orphans() == [
        {b"request_id": over.encode(), b"organization": b"org_acme", b"hold_micro": b"300"}
    ]


def test_expire_takes_at_most_a_hundred(cell: Cell) -> None:
    cell.lapse(*[cell.hold(1) for _ in range(130)])

    assert [cell.expire(), cell.expire(), cell.expire()] == [100, 30, 0]
    assert cell.used() == (0, 0, 0)


def test_records_end_by_themselves_and_open_holds_do_not(cell: Cell) -> None:
    going, settled, released, over = (cell.hold(10) for _ in range(4))
    cell.settle(settled, 1)
    cell.release(released)
    cell.lapse(over)
    cell.expire()

    ends = [cell.client.ttl(keys.record(CELL, one)) for one in (going, settled, released, over)]

    assert ends[0] == -1
    assert all(590 <= end <= 600 for end in ends[1:3])
    assert 86_390 <= ends[3] <= 86_400


def test_records_are_small(cell: Cell) -> None:
    """At 1,000 requests a second, 600,000 settled records are kept."""
    chain = ("org_" + "x" * 16, "prj_" + "x" * 16, "key_" + "x" * 16)
    cell.prepare(change(GRANT, number=11, budgets=chain))
    request = cell.hold(300)

    assert cell.client.memory_usage(keys.record(CELL, request)) < 512
    cell.settle(request, 100)
    assert cell.client.memory_usage(keys.record(CELL, request)) < 192


# The crash stories, in the words of the design.


def test_killed_after_admit_the_lease_lapses_and_nothing_is_charged(cell: Cell) -> None:
    cell.lapse(cell.hold(1000))
    with pytest.raises(Refused, match="budget_exceeded"):
        cell.admit()

    cell.expire()

    assert cell.used() == (0, 0, 0)
    assert cell.admit().left_micro == 700


def test_admit_that_timed_out_and_runs_later_is_refused_by_the_tombstone(cell: Cell) -> None:
    request = ids.mint_request_id()

    assert cell.release(request) == "unknown"
    with pytest.raises(Refused, match="request_id_used"):
        cell.admit(request_id=request)

    assert cell.used() == (0, 0, 0)


def test_lapsed_then_settled_is_charged_while_there_is_room(cell: Cell) -> None:
    request = cell.hold(300)
    cell.lapse(request)
    cell.expire()

    assert cell.settle(request, 250) == ("settled", 250)
    assert cell.settle(request, 250) == ("repeated", 250)

    assert cell.used() == (250, 0, 0)
    assert len(cell.events()) == 1


def test_lapsed_then_replayed_after_others_spent_the_room(cell: Cell) -> None:
    request = cell.hold(300)
    cell.lapse(request)
    cell.expire()
    cell.settle(cell.hold(600), 600)
    cell.hold(340)

    assert cell.settle(request, 250) == ("settled", 60)

    event = cell.events()[-1]
    assert (event[b"settled_micro"], event[b"written_off_micro"]) == (b"60", b"190")
    assert cell.used() == (660, 0, 340)


def test_lapsed_settlement_respects_the_narrowest_link(cell: Cell) -> None:
    request = cell.hold(300)
    cell.lapse(request)
    cell.expire()
    cell.limit("prj_one", 40, number=2)

    assert cell.settle(request, 250) == ("settled", 40)
    assert cell.used("org_acme") == cell.used("prj_one") == (40, 0, 0)


@pytest.mark.parametrize("released", [False, True])
def test_settlement_of_an_unknown_request_is_late_and_touches_no_counter(
    cell: Cell, released: bool
) -> None:
    request = ids.mint_request_id()
    if released:
        cell.release(request)

    assert cell.settle(request, 250) == ("late", 0)
    assert cell.settle(request, 250) == ("repeated", 0)

    assert cell.used() == (0, 0, 0)
    assert len(cell.events()) == 1
    assert cell.events()[0][b"late"] == b"1"
    assert cell.events()[0][b"written_off_micro"] == b"250"


def test_late_events_are_charged_once_and_as_far_as_there_is_room(cell: Cell) -> None:
    cell.hold(900)
    late = ids.mint_request_id()

    assert [cell.charge_late(late, 250), cell.charge_late(late, 250)] == [100, 100]
    assert cell.charge_late(ids.mint_request_id(), 250) == 0

    assert cell.used() == (100, 0, 900)


def test_late_events_pass_over_budgets_that_are_gone(cell: Cell) -> None:
    charged = cell.charge_late(ids.mint_request_id(), 250, ("org_acme", "prj_gone"))

    assert charged == 250
    assert cell.used() == (250, 0, 0)


def test_a_full_crash_of_the_settled_record_is_late_not_charged_again(cell: Cell) -> None:
    """A journal replayed after the record's ten minutes: the ledger's unique id decides."""
    request = cell.hold(300)
    cell.settle(request, 120)
    cell.client.delete(keys.record(CELL, request))

    assert cell.settle(request, 120) == ("late", 0)
    assert cell.used() == (120, 0, 0)


# Orders and jobs.


def test_reservation_becomes_commitment(cell: Cell) -> None:
    cell.reserve("ord_1", 400)
    assert cell.used() == (0, 0, 400)

    cell.commit("ord_1", 350)

    assert cell.used() == cell.used("prj_one") == (0, 350, 0)


def test_order_calls_may_be_repeated(cell: Cell) -> None:
    for _ in range(2):
        cell.reserve("ord_1", 400)
    assert cell.used() == (0, 0, 400)
    for _ in range(2):
        cell.commit("ord_1", 350)
    cell.reserve("ord_1", 400)  # a repetition that comes late
    assert cell.unreserve("ord_1") == "committed"
    assert cell.used() == (0, 350, 0)

    cell.reserve("ord_2", 100)
    assert [cell.unreserve("ord_2"), cell.unreserve("ord_2")] == ["released", "unknown"]
    assert cell.used() == (0, 350, 0)


def test_reservation_is_refused_without_room(cell: Cell) -> None:
    cell.limit("prj_one", 399, number=2)

    with pytest.raises(Refused) as refusal:
        cell.reserve("ord_1", 400)

    said = refusal.value
    assert (said.reason, said.name, said.left) == ("budget_exceeded", "prj_one", 399)
    assert cell.used() == (0, 0, 0)
    assert cell.unreserve("ord_1") == "unknown"


def test_commitment_of_an_unknown_order_counts_because_its_row_says_so(cell: Cell) -> None:
    cell.commit("ord_1", 350)

    assert cell.used() == (0, 350, 0)


def test_a_budget_that_commitments_overran_gives_nothing_and_takes_nothing_back(cell: Cell) -> None:
    request = cell.hold(300)
    cell.lapse(request)
    cell.expire()
    cell.commit("ord_1", 1200)

    assert cell.settle(request, 250) == ("settled", 0)
    assert cell.charge_late(ids.mint_request_id(), 250) == 0
    with pytest.raises(Refused) as refusal:
        cell.hold(0)

    assert (refusal.value.reason, refusal.value.left) == ("budget_exceeded", -200)
    assert cell.used() == (0, 1200, 0)


def test_commitment_may_change_its_amount_and_its_chain(cell: Cell) -> None:
    cell.limit("prj_two", 1000)
    cell.reserve("ord_1", 400)

    cell.commit("ord_1", 300, ("org_acme", "prj_two"))
    assert cell.used("prj_one") == (0, 0, 0)
    cell.commit("ord_1", 0)

    assert [cell.used(one) for one in ("org_acme", "prj_one", "prj_two")] == [(0, 0, 0)] * 3


def test_months_are_apart(cell: Cell) -> None:
    cell.commit("ord_1", 900, month="2031-01")
    cell.commit("ord_1", 800, month="2031-02")

    assert cell.standing(month="2031-01").committed == 900
    assert cell.standing(month="2031-02").committed == 800
    assert cell.admit().left_micro == 700


@pytest.mark.parametrize("month", ["2031-13", "2031-00", "2031-1", "", "x", "2031-011"])
def test_a_month_that_is_none_is_an_error(cell: Cell, month: str) -> None:
    command = calls.reserve(
        CELL, reference="ord_1", month=month, amount_micro=1, subjects=["org_acme"]
    )

    with pytest.raises(redis.ResponseError, match="not a month"):
        cell.ask(command)


def test_a_sweep_finds_orders_that_nobody_finished(cell: Cell) -> None:
    for reference in ("ord_kept", "ord_freed", "ord_lost"):
        cell.reserve(reference, 10)
    cell.commit("ord_kept", 10)
    cell.unreserve("ord_freed")

    assert cell.admission.stale_orders(CELL, older_ms=60_000) == []
    assert cell.admission.stale_orders(CELL, older_ms=0) == [("ord_lost", cell.month())]


def test_records_of_orders_outlive_their_month(cell: Cell) -> None:
    cell.reserve("ord_1", 10)
    name = f"{TAG}:order:ord_1:{cell.month()}"
    assert cell.client.ttl(name) == -1

    cell.commit("ord_1", 10)

    assert cell.client.ttl(name) > 99 * 86_400


# Publishing.


def test_an_older_grant_is_refused(cell: Cell) -> None:
    assert cell.publish(change(GRANT, number=9, rpm=1)) == b"older"
    assert cell.admit().rpm_limit == 100_000


def test_a_revoked_grant_stays_revoked(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11), revoked=True)

    assert cell.publish(GRANT) == b"older"
    assert cell.publish(change(GRANT, number=11)) == b"older"  # a publisher that was overtaken

    with pytest.raises(Refused, match="key_unknown"):
        cell.admit()


def test_a_newer_grant_replaces_the_whole_one(cell: Cell) -> None:
    other = {"other": GRANT.models["smollm2"]}
    cell.publish(change(GRANT, number=11, models=other, rpm=3))

    with pytest.raises(Refused, match="model_unknown"):
        cell.admit()
    assert cell.admit(model="other").rpm_limit == 3


def test_a_grant_may_name_thousands_of_models(cell: Cell) -> None:
    models = {f"model-{number}": GRANT.models["smollm2"] for number in range(5000)}
    assert cell.publish(change(GRANT, number=11, models=models)) == b"published"

    assert cell.admit(model="model-4999").hold_micro == 300


@pytest.mark.parametrize(
    "grant",
    [
        change(GRANT, budgets=("org_acme", "org_acme")),
        change(GRANT, budgets=("org_acme,prj_one",)),
        change(GRANT, budgets=("",)),
        change(GRANT, models={"m": change(GRANT.models["smollm2"], price_out=-1)}),  # type: ignore[arg-type]
        change(GRANT, models={"m": change(GRANT.models["smollm2"], price_in=2**53)}),  # type: ignore[arg-type]
    ],
)
def test_a_grant_that_could_not_be_kept_is_not_published(grant: object) -> None:
    with pytest.raises(ValueError, match=r"budgets of|price of"):
        calls.publish_grant(CELL, sha256="a", grant=grant)  # type: ignore[arg-type]


def test_a_hard_limit_is_not_lowered_below_what_is_used(cell: Cell) -> None:
    cell.settle(cell.hold(300), 100)
    cell.commit("ord_1", 200)
    cell.hold(50)

    with pytest.raises(Refused) as refusal:
        cell.limit("org_acme", 349, number=2)
    assert (refusal.value.reason, refusal.value.left) == ("below_used", 350)
    assert cell.standing().limit == 1000

    cell.limit("org_acme", 350, number=2)
    assert cell.standing().left == 0
    cell.limit("org_acme", 0, hard=False, number=3)  # a soft one may be anything
    with pytest.raises(Refused, match="below_used"):
        cell.limit("org_acme", 0, number=4)


def test_a_hard_limit_is_not_lowered_below_what_a_later_month_has_committed(cell: Cell) -> None:
    cell.commit("ord_1", 900, month="2099-01")
    cell.commit("ord_1", 950, month="2001-01")  # over: does not count

    with pytest.raises(Refused) as refusal:
        cell.limit("org_acme", 899, number=2)
    assert refusal.value.left == 900

    cell.limit("org_acme", 900, number=2)


def test_an_older_limit_is_refused(cell: Cell) -> None:
    cell.limit("org_acme", 500, number=5)

    with pytest.raises(Refused, match="older_number"):
        cell.limit("org_acme", 900, number=4)
    cell.limit("org_acme", 500, number=5)

    assert cell.standing().limit == 500


def test_a_budget_that_nobody_published_has_no_standing(cell: Cell) -> None:
    assert cell.admission.standing(ORG_CODE, subject="prj_x", month="2026-11") is None


# The fence.


def restore(cell: Cell, *, last_event: str = "", committed: int | None = None) -> bool:
    return cell.admission.restore(
        ORG_CODE,
        subject="org_acme",
        month=cell.month(),
        spent_micro=400,
        committed_micro=committed,
        last_event=last_event,
    )


def test_counters_are_restored_only_while_the_cell_is_closed(cell: Cell) -> None:
    assert not restore(cell)
    assert cell.used() == (0, 0, 0)

    cell.admission.close_cells()
    assert restore(cell, committed=50)

    assert cell.used() == (400, 50, 0)


def test_restoring_leaves_commitments_to_their_orders(cell: Cell) -> None:
    cell.commit("ord_1", 50)
    cell.admission.close_cells()

    assert restore(cell)
    cell.commit("ord_1", 50)  # each order again, known or not
    cell.commit("ord_2", 20)

    assert cell.used() == (400, 70, 0)


def test_restoring_never_overwrites_a_settlement_that_the_ledger_has_not_seen(cell: Cell) -> None:
    first, second = cell.hold(100), cell.hold(100)
    cell.admission.close_cells()
    assert not restore(cell, last_event="1-1")
    assert restore(cell, last_event="0-0")
    cell.settle(first, 10)
    seen = cell.client.xrevrange(keys.events(CELL), count=1)[0][0].decode()
    assert restore(cell, last_event=seen)
    cell.settle(second, 10)

    assert not restore(cell, last_event=seen)

    assert cell.used() == (410, 0, 0)
    cell.client.xtrim(keys.events(CELL), maxlen=0, approximate=False)
    assert not restore(cell, last_event=seen)  # trimming does not hide it


def test_the_library_is_loaded_under_its_name(cell: Cell) -> None:
    assert library.source().startswith(f"#!lua name={library.NAME}\n")
    assert cell.client.function_list(library.NAME)


def test_running_answers_settle_while_the_cell_is_closed(cell: Cell) -> None:
    request = cell.hold(300)
    cell.admission.close_cells()

    assert cell.renew(request) == []
    assert cell.settle(request, 100) == ("settled", 100)


def test_cells_open_and_close_together(cell: Cell) -> None:
    cell.admission.open_cells(9)
    assert cell.admission.epochs() == [9] * ids.CELLS
    with pytest.raises(Refused, match="closed"):
        cell.admit()
    assert cell.admit(epoch=9).hold_micro == 300

    cell.admission.close_cells()
    assert cell.admission.epochs() == [0] * ids.CELLS


def test_an_older_epoch_never_opens_a_cell_again(cell: Cell) -> None:
    cell.admission.open_cells(9)
    cell.admission.open_cells(9)  # repeated
    with pytest.raises(Refused, match="older"):
        cell.admission.open_cells(8)
    cell.admission.close_cells()

    with pytest.raises(Refused, match="older"):
        cell.admission.open_cells(8)

    assert cell.admission.epochs() == [0] * ids.CELLS
