"""Every reason for which admission says no, with what the refusal tells the caller."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from portal.admission import calls
from portal.admission.calls import Refused
from portal.lib import ids
from tests.admission.cell import CELL, GRANT, MODEL, Cell, change
from tests.minutes import begin_early

USED_ID = ids.mint_request_id()
NEXT_MONTH = 32 * 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def nothing(cell: Cell) -> None:
    """As it is."""


def close(cell: Cell) -> None:
    cell.ask(calls.close_cell(CELL))


def revoke(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11), revoked=True)


def end_key(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, expires_at_ms=now_ms() - 1))


def use_up_the_rate(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, rpm=5))
    begin_early()
    cell.set_window(cell.minute(), requests=5)


def use_up_the_places(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, concurrency=2))
    cell.hold(1)
    cell.hold(1)


def ask_too_much(cell: Cell) -> None:
    dear = {"smollm2": MODEL, "dear": msg(price_out=2**53 - 1)}
    cell.publish(change(GRANT, number=11, models=dear))


def msg(**changes: Any) -> Any:
    return change(MODEL, **changes)  # type: ignore[arg-type]


def add_unknown_budget(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, budgets=("org_acme", "prj_new")))


def fill_organization(cell: Cell) -> None:
    cell.hold(800)


def fill_project(cell: Cell) -> None:
    cell.limit("prj_one", 299, number=2)


def fill_by_commitment(cell: Cell) -> None:
    cell.commit("ord_1", 701)


def settle_one(cell: Cell) -> None:
    cell.admit(request_id=USED_ID)
    cell.settle(USED_ID, 1)


def release_one(cell: Cell) -> None:
    cell.release(USED_ID)


def lapse_one(cell: Cell) -> None:
    cell.admit(request_id=USED_ID)
    cell.lapse(USED_ID)
    cell.expire()


def take_by_another_key(cell: Cell) -> None:
    cell.publish(change(GRANT, key="key_two"), sha="b" * 64)
    cell.admit(request_id=USED_ID, sha256="b" * 64)


Case = tuple[str, Callable[[Cell], None], dict[str, Any], str, int, int, tuple[int, int]]
ANY_ID: dict[str, Any] = {}
CASES: list[Case] = [
    # reason, what happened before, what is asked, name, left, limit, retry between
    ("closed", close, ANY_ID, "", 0, 0, (1000, 1000)),
    ("closed", nothing, {"epoch": 6}, "", 0, 0, (1000, 1000)),
    ("closed", nothing, {"epoch": 8}, "", 0, 0, (1000, 1000)),
    ("key_unknown", nothing, {"sha256": "c" * 64}, "", 0, 0, (0, 0)),
    ("key_unknown", revoke, ANY_ID, "", 0, 0, (0, 0)),
    ("key_expired", end_key, ANY_ID, "", 0, 0, (0, 0)),
    ("model_unknown", nothing, {"model": "gpt"}, "gpt", 0, 0, (0, 0)),
    ("model_unknown", nothing, {"model": "모델"}, "모델", 0, 0, (0, 0)),
    ("model_unknown", nothing, {"model": ""}, "", 0, 0, (0, 0)),
    ("wrong_kind", nothing, {"kind": "embedding"}, "smollm2", 0, 0, (0, 0)),
    ("request_id_used", settle_one, {"request_id": USED_ID}, "", 0, 0, (0, 0)),
    ("request_id_used", release_one, {"request_id": USED_ID}, "", 0, 0, (0, 0)),
    ("request_id_used", lapse_one, {"request_id": USED_ID}, "", 0, 0, (0, 0)),
    ("request_id_used", take_by_another_key, {"request_id": USED_ID}, "", 0, 0, (0, 0)),
    ("clock_skew", nothing, {"request_id": -6000}, "", 0, 0, (0, 0)),
    ("clock_skew", nothing, {"request_id": 6000}, "", 0, 0, (0, 0)),
    ("clock_skew", nothing, {"request_id": "not hexadecimal"}, "", 0, 0, (0, 0)),
    ("rate", use_up_the_rate, ANY_ID, "key_one", 0, 5, (1, 60_000)),
    ("concurrency", use_up_the_places, ANY_ID, "key_one", 0, 2, (1000, 1000)),
    ("too_large", ask_too_much, {"model": "dear", "tokens_out": 1_000_001}, "", 0, 0, (0, 0)),
    ("too_large", nothing, {"tokens_in": 2**32 + 1}, "", 0, 0, (0, 0)),
    ("too_large", nothing, {"tokens_out": 2**32 + 1}, "", 0, 0, (0, 0)),
    ("budget_unknown", add_unknown_budget, ANY_ID, "prj_new", 0, 0, (1000, 1000)),
    ("budget_exceeded", fill_organization, ANY_ID, "org_acme", 200, 1000, (1, NEXT_MONTH)),
    ("budget_exceeded", fill_project, ANY_ID, "prj_one", 299, 299, (1, NEXT_MONTH)),
    ("budget_exceeded", fill_by_commitment, ANY_ID, "org_acme", 299, 1000, (1, NEXT_MONTH)),
]


@pytest.fixture(autouse=True)
def _fresh_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """The id that a case names stands for one minted now: old ones are refused."""
    monkeypatch.setattr("tests.admission.test_refusals.USED_ID", ids.mint_request_id())


@pytest.mark.parametrize(
    ("reason", "before", "asked", "name", "left", "limit", "retry"),
    CASES,
    ids=[f"{case[0]}-{case[1].__name__}-{number}" for number, case in enumerate(CASES)],
)
def test_refuses_and_says_why(
    cell: Cell,
    reason: str,
    before: Callable[[Cell], None],
    asked: dict[str, Any],
    name: str,
    left: int,
    limit: int,
    retry: tuple[int, int],
) -> None:
    before(cell)
    used, leases = cell.used(), cell.leases()
    asked = dict(asked)
    if "request_id" in asked and asked["request_id"] != "not hexadecimal":
        offset = asked["request_id"]
        asked["request_id"] = (
            ids.mint_request_id(now_ms() + offset) if isinstance(offset, int) else USED_ID
        )

    with pytest.raises(Refused) as refusal:
        cell.admit(**asked)

    said = refusal.value
    assert (said.reason, said.name, said.left, said.limit) == (reason, name, left, limit)
    assert retry[0] <= said.retry_ms <= retry[1]
    assert (cell.used(), cell.leases()) == (used, leases)  # a refusal changes nothing


@pytest.mark.parametrize("offset", [-4000, 4000])
def test_admits_ids_minted_by_a_clock_a_little_off(cell: Cell, offset: int) -> None:
    assert cell.admit(request_id=ids.mint_request_id(now_ms() + offset)).hold_micro == 300


def test_admits_exactly_what_fits(cell: Cell) -> None:
    admitted = cell.admit(tokens_in=0, tokens_out=1000)

    assert (admitted.hold_micro, admitted.left_micro) == (1000, 0)
    assert cell.used() == cell.used("prj_one") == (0, 0, 1000)


def test_soft_budgets_refuse_nothing(cell: Cell) -> None:
    for subject in GRANT.budgets:
        cell.limit(subject, 10, hard=False, number=2)

    admitted = cell.admit()

    assert admitted.left_micro is None
    assert cell.used() == (0, 0, 300)


def test_a_chain_without_room_in_one_link_holds_in_none(cell: Cell) -> None:
    cell.limit("prj_one", 299, number=2)

    with pytest.raises(Refused):
        cell.admit()

    assert cell.used("org_acme") == cell.used("prj_one") == (0, 0, 0)


def test_tells_what_the_gateway_needs(cell: Cell) -> None:
    before = now_ms()
    admitted = cell.admit(grant_number=9)

    assert admitted.hold_micro == 300
    assert admitted.month == cell.month()
    assert (admitted.endpoint, admitted.price_version) == ("ep_one", "price_one")
    assert (admitted.rpm_limit, admitted.rpm_left) == (100_000, 99_999)
    assert 0 < admitted.rpm_reset_ms <= 60_000
    assert admitted.left_micro == 700
    assert before - 1000 <= admitted.at_ms <= now_ms() + 1000
    assert admitted.grant_number == 10


@pytest.mark.parametrize(("known", "sent"), [(9, True), (10, False), (11, False)])
def test_sends_the_grant_only_to_a_gateway_whose_copy_is_older(
    cell: Cell, known: int, sent: bool
) -> None:
    from portal.admission.grants import decode

    grant = cell.admit(grant_number=known).grant

    assert (grant is not None) == sent
    assert grant is None or decode(grant) == GRANT


def test_each_minute_has_its_own_rate(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, rpm=5))
    cell.set_window(cell.minute() - 1, requests=5)

    assert cell.admit().rpm_left == 4


@pytest.mark.parametrize(
    "asked", [{"tokens_in": -1}, {"tokens_out": -300}, {"tokens_out": "nan"}, {"tokens_in": "1.5"}]
)
def test_an_amount_that_is_none_is_an_error_and_holds_nothing(
    cell: Cell, asked: dict[str, Any]
) -> None:
    import redis

    with pytest.raises(redis.ResponseError, match="not an amount"):
        cell.admit(**asked)

    assert cell.used() == (0, 0, 0)
