"""While a release is rolled out, gateways of both call the same server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis

from portal.admission import calls, library
from portal.lib import ids
from tests.admission.cell import CELL, EPOCH, GRANT, SHA, TAG, Cell, change

OLDER = (Path(__file__).parent / "functions_1.lua").read_text()


@pytest.fixture
def both(cell: Cell) -> Cell:
    """A server that has the library before this one as well."""
    cell.client.function_load(OLDER, replace=True)
    return cell


def older(cell: Cell, function: str, *arguments: Any) -> Any:
    return cell.client.fcall(f"{function}_1", 1, TAG, *arguments)


def admit_older(cell: Cell) -> str:
    request = ids.mint_request_id()
    reply = older(cell, "admit", EPOCH, SHA, request, "smollm2", 100, 200, 10, "chat")
    assert reply[:2] == [b"ok", b"300"]
    return request


def test_loading_this_one_leaves_the_older_one(both: Cell) -> None:
    both.admission.load_functions()

    names = {one[1] for one in both.client.function_list("dure_admission_*")}
    assert names == {b"dure_admission_1", library.NAME.encode()}
    both.settle(both.hold(10), 1)
    assert older(both, "settle", admit_older(both), 1, b"e") == [b"settled", b"1"]


@pytest.mark.parametrize("end", ["settle", "release", "expire"])
def test_ends_what_the_older_one_admitted(both: Cell, end: str) -> None:
    request = admit_older(both)
    assert both.used() == (0, 0, 300)
    assert both.renew(request) == []

    if end == "settle":
        assert both.settle(request, 120) == ("settled", 120)
        assert older(both, "settle", request, 120, b"e") == [b"repeated", b"120"]
    elif end == "release":
        assert both.release(request) == "released"
    else:
        both.lapse(request)
        assert both.expire() == 1

    assert both.used() == both.used("prj_one") == ((120 if end == "settle" else 0), 0, 0)
    assert (both.busy(), both.leases()) == (0, set())


@pytest.mark.parametrize("end", ["settle", "release", "expire"])
def test_the_older_one_ends_what_this_one_admitted(both: Cell, end: str) -> None:
    both.publish(change(GRANT, number=11, tpm=10_000))
    request = ids.mint_request_id()
    both.admit(request_id=request, mark=("k" * 22, "f" * 22))
    assert older(both, "renew", request) == []

    if end == "settle":
        assert older(both, "settle", request, 120, b"e") == [b"settled", b"120"]
        assert both.settle(request, 120) == ("repeated", 120)
    elif end == "release":
        older(both, "release", request)
    else:
        both.lapse(request)
        assert older(both, "expire") == 1

    assert both.used() == ((120 if end == "settle" else 0), 0, 0)
    assert (both.busy(), both.leases()) == (0, set())


@pytest.mark.parametrize(
    ("end", "reason"),
    [("settle", "idempotency_ended"), ("release", ""), ("expire", "idempotency_lost")],
)
def test_a_mark_follows_what_the_older_one_did(both: Cell, end: str, reason: str) -> None:
    request = ids.mint_request_id()
    mark = ("k" * 22, "f" * 22)
    both.admit(request_id=request, mark=mark)
    if end == "expire":
        both.lapse(request)
    older(both, end, *((request, 120, b"e") if end == "settle" else (request,)))

    if not reason:
        both.admit(mark=mark)
        return
    with pytest.raises(calls.Refused) as refusal:
        both.admit(mark=mark)

    assert (refusal.value.reason, refusal.value.name) == (reason, request)
    assert refusal.value.left == (120 if end == "settle" else 0)


def test_a_grant_that_an_older_publisher_wrote_has_no_limit_of_tokens(both: Cell) -> None:
    older(
        both,
        "publish_grant",
        SHA,
        12,
        0,
        0,
        100,
        100,
        "key_one",
        "org_acme",
        "org_acme",
        b"blob",
        "smollm2",
        b'{"kind":"chat","endpoint":"ep_one","price_version":"p","price_in":0,"price_out":0}',
    )

    assert both.admit(grant_number=12).tpm_limit == 0


def test_limits_of_requests_and_places_hold_across_both(both: Cell) -> None:
    both.publish(change(GRANT, number=11, concurrency=2))
    admit_older(both)
    both.hold(1)

    assert (
        older(both, "admit", EPOCH, SHA, ids.mint_request_id(), "smollm2", 1, 1, 11, "chat")[1]
        == b"concurrency"
    )
    with pytest.raises(calls.Refused, match="concurrency"):
        both.hold(1)


def test_the_server_says_which_text_it_has(cell: Cell) -> None:
    assert library.is_ours(cell.ask(library.ask_digest()))

    changed = library.source().replace(library.digest(), "0" * 64)
    cell.client.function_load(changed, replace=True)

    assert not library.is_ours(cell.ask(library.ask_digest()))
    cell.admission.load_functions()
    assert library.is_ours(cell.ask(library.ask_digest()))


def test_a_server_without_the_functions_is_told_from_one_with_others(cell: Cell) -> None:
    cell.client.function_delete(library.NAME)

    with pytest.raises(redis.ResponseError) as error:
        cell.ask(library.ask_digest())

    assert library.is_missing(str(error.value))
    cell.admission.load_functions()
    assert cell.ask(calls.close_cell(CELL)) == b"closed"
