"""Which functions a server has, and what becomes of gateways of the release before this one."""

from __future__ import annotations

import pytest
import redis

from portal.admission import calls, keys, library
from tests.admission.cell import CELL, EPOCH, SHA, TAG, Cell

OLDER = """#!lua name=dure_admission_1
server.register_function('admit_1', function(keys, argv)
  if server.call('GET', keys[1] .. ':epoch') ~= argv[1] then return { 'no', 'closed' } end
  return { 'ok' }
end)"""


def test_functions_that_count_elsewhere_go_when_these_come(cell: Cell) -> None:
    cell.client.function_load(OLDER, replace=True)

    cell.admission.load_functions()
    cell.admission.load_functions()  # nothing is there any more: not an error

    names = {one[1] for one in cell.client.function_list("dure_admission_*")}
    assert names == {library.NAME.encode()}


def test_a_server_that_counted_elsewhere_is_closed_for_all(cell: Cell) -> None:
    """Until the fence has counted: the epoch of the release before stands under another name."""
    cell.client.flushdb()
    cell.client.function_load(OLDER, replace=True)
    cell.client.set(f"{TAG}:epoch", EPOCH)
    assert cell.client.fcall("admit_1", 1, TAG, EPOCH, SHA) == [b"ok"]

    with pytest.raises(calls.Refused, match="closed"):
        cell.admit()
    assert cell.admission.epochs()[CELL] == 0


def test_leases_of_the_release_before_are_forgotten(cell: Cell) -> None:
    cell.client.hset(f"{TAG}:hold:one", mapping={"state": "open", "worst": 5})
    cell.client.zadd(f"{TAG}:leases", {"one": 1})

    cell.expire()

    assert cell.leases() == set()
    assert cell.client.xlen(keys.orphans(CELL)) == 0


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
