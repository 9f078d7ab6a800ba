"""Marks of Idempotency-Keys: a second request with the same key is not run again."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from portal.admission import calls, keys
from portal.admission.calls import Refused
from portal.lib import ids
from tests.admission.cell import CELL, GRANT, TAG, Cell, change

MARK = ("k" * 22, "f" * 22)
NAME = f"{TAG}:idem:{MARK[0]}"


def admit(cell: Cell, mark: tuple[str, str] = MARK, **changes: Any) -> str:
    request_id: str = changes.pop("request_id", "") or ids.mint_request_id()
    cell.admit(request_id=request_id, mark=mark, **changes)
    return request_id


def refused(cell: Cell, mark: tuple[str, str] = MARK) -> Refused:
    before = (cell.used(), cell.busy(), cell.leases())
    with pytest.raises(Refused) as refusal:
        admit(cell, mark)
    assert (cell.used(), cell.busy(), cell.leases()) == before
    return refusal.value


def settle(cell: Cell, request_id: str, cost: int = 120, outcome: str = "answered") -> None:
    cell.ask(
        calls.settle(CELL, request_id=request_id, cost_micro=cost, event=b"event", outcome=outcome)
    )


def test_is_not_run_again_while_the_first_runs(cell: Cell) -> None:
    first = admit(cell)

    refusal = refused(cell)

    assert (refusal.reason, refusal.name) == ("idempotency_running", first)
    assert refusal.retry_ms == 1000


def test_tells_what_the_first_became(cell: Cell) -> None:
    first = admit(cell)
    settle(cell, first)

    refusal = refused(cell)

    assert (refusal.reason, refusal.name) == ("idempotency_ended", first)
    assert (refusal.left, refusal.detail) == (120, "answered")
    assert 86_390 <= cell.client.ttl(NAME) <= 86_400


@pytest.mark.parametrize("ended", [False, True])
def test_another_request_under_the_same_key_is_told_so(cell: Cell, ended: bool) -> None:
    first = admit(cell)
    if ended:
        settle(cell, first)

    refusal = refused(cell, (MARK[0], "other-fingerprint"))

    assert (refusal.reason, refusal.name) == ("idempotency_other", first)


def test_a_request_that_reached_no_site_frees_the_key(cell: Cell) -> None:
    cell.release(admit(cell))

    assert cell.client.get(NAME) is None
    second = admit(cell, (MARK[0], "other-fingerprint"))

    assert second in cell.leases()


def test_a_late_release_of_the_first_frees_nothing_of_the_second(cell: Cell) -> None:
    """Repeated, because its reply was lost."""
    first = admit(cell)
    cell.release(first)
    second = admit(cell)

    cell.release(first)

    assert refused(cell).name == second


def test_a_refused_request_marks_nothing(cell: Cell) -> None:
    with pytest.raises(Refused, match="budget_exceeded"):
        admit(cell, tokens_out=5000)

    assert cell.client.get(NAME) is None


def test_the_same_admit_gives_the_same_answer(cell: Cell) -> None:
    """Sent again because its reply was lost: it is the first, not a second."""
    request = admit(cell)

    assert admit(cell, request_id=request) == request

    assert cell.used() == (0, 0, 300)


def test_a_lapsed_request_is_not_run_again_and_may_still_be_settled(cell: Cell) -> None:
    first = admit(cell)
    cell.lapse(first)
    cell.expire()
    assert (refused(cell).reason, refused(cell).name) == ("idempotency_lost", first)

    settle(cell, first, 90, "cut_short")

    assert (refused(cell).reason, refused(cell).left) == ("idempotency_ended", 90)
    assert refused(cell).detail == "cut_short"


def test_outlives_the_record_of_its_request(cell: Cell) -> None:
    first = admit(cell)
    settle(cell, first)
    cell.client.delete(keys.record(CELL, first))

    assert refused(cell).reason == "idempotency_ended"


def test_without_its_request_nobody_knows_the_end(cell: Cell) -> None:
    first = admit(cell)
    cell.client.delete(keys.record(CELL, first))

    assert refused(cell).reason == "idempotency_lost"


def test_a_revoked_key_learns_nothing(cell: Cell) -> None:
    admit(cell)
    cell.publish(change(GRANT, number=11), revoked=True)

    with pytest.raises(Refused, match="key_unknown"):
        admit(cell)


def test_a_repetition_is_told_even_when_nothing_more_is_admitted(cell: Cell) -> None:
    settle(cell, admit(cell))
    cell.limit("org_acme", 120, number=2)

    assert refused(cell).reason == "idempotency_ended"


def test_other_keys_are_other_requests(cell: Cell) -> None:
    admit(cell)
    admit(cell, ("another" * 3, MARK[1]))

    assert cell.busy() == 2


def test_marks_are_small_and_end_by_themselves(cell: Cell) -> None:
    first = admit(cell)
    assert 86_390 <= cell.client.ttl(NAME) <= 86_400
    settle(cell, first)

    assert cell.client.memory_usage(NAME) <= 256


def test_a_mark_without_a_fingerprint_writes_nothing(cell: Cell) -> None:
    with pytest.raises(redis.ResponseError, match="no fingerprint"):
        admit(cell, (MARK[0], ""))

    assert cell.used() == (0, 0, 0)
    assert cell.client.get(NAME) is None


def test_requests_without_a_key_mark_nothing(cell: Cell) -> None:
    settle(cell, cell.hold(10))

    assert list(cell.client.scan_iter(f"{TAG}:idem:*")) == []
