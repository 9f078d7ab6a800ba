"""Tokens a minute: counted by their worst cases, given back as far as they were not used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from portal.admission import calls, problems
from portal.admission.calls import Refused
from portal.lib import ids
from tests.admission.cell import CELL, GRANT, Cell, change
from tests.minutes import begin_early

LIMIT = 100


@pytest.fixture
def limited(cell: Cell) -> Cell:
    """A key that may use 100 tokens a minute, early in a minute."""
    begin_early()
    cell.publish(change(GRANT, number=11, tpm=LIMIT))
    return cell


def settle(cell: Cell, request_id: str, tokens: int | None) -> None:
    cell.ask(calls.settle(CELL, request_id=request_id, cost_micro=1, event=b"event", tokens=tokens))


def refusal_of(cell: Cell, tokens: int) -> Refused:
    with pytest.raises(Refused) as refusal:
        cell.hold(tokens)
    return refusal.value


def counted(cell: Cell) -> int:
    return cell.window()[2]


def test_five_at_once_never_admit_more_than_the_limit_in_worst_cases(limited: Cell) -> None:
    """A public gateway let 663 tokens through a limit of 100 (its issue 18730)."""
    sizes = (58, 90, 110, 140, 175)
    gate = Barrier(len(sizes))

    def one(tokens: int) -> int:
        own = Cell(limited.url)
        own.client.ping()
        gate.wait(10)
        try:
            own.admit(tokens_in=20, tokens_out=tokens - 20)
        except Refused as refusal:
            assert refusal.reason == "tokens"
            return 0
        finally:
            own.close()
        return tokens

    with ThreadPoolExecutor(len(sizes)) as pool:
        admitted = sum(pool.map(one, sizes))

    assert admitted in (58, 90)  # whichever came first
    assert counted(limited) == admitted


def test_tells_what_is_left(limited: Cell) -> None:
    first = limited.admit(tokens_in=10, tokens_out=50)
    second = limited.admit(tokens_in=0, tokens_out=40)

    assert [(one.tpm_limit, one.tpm_left) for one in (first, second)] == [(100, 40), (100, 0)]


def test_refuses_what_no_longer_fits_until_the_minute_turns(limited: Cell) -> None:
    limited.hold(60)

    refusal = refusal_of(limited, 41)

    assert (refusal.reason, refusal.name) == ("tokens", "key_one")
    assert (refusal.left, refusal.limit, refusal.detail) == (40, 100, "41")
    assert 0 < refusal.retry_ms <= 60_000
    assert limited.used() == (0, 0, 60)
    assert limited.busy() == 1
    limited.hold(40)


def test_refuses_for_good_what_is_above_the_limit_by_itself(limited: Cell) -> None:
    refusal = refusal_of(limited, 101)

    assert (refusal.reason, refusal.left, refusal.retry_ms) == ("tokens", 100, 0)


@pytest.mark.parametrize(("used", "left"), [(0, 100), (25, 75), (60, 40), (70, 40), (None, 40)])
def test_what_was_not_used_is_given_back(limited: Cell, used: int | None, left: int) -> None:
    settle(limited, limited.hold(60), used)

    assert limited.admit(tokens_in=0, tokens_out=0).tpm_left == left


def test_a_repeated_settlement_gives_nothing_back_again(limited: Cell) -> None:
    request = limited.hold(60)
    limited.hold(40)

    for _ in range(3):
        settle(limited, request, 50)

    assert refusal_of(limited, 11).left == 10


def test_a_request_that_reached_no_site_gives_all_back(limited: Cell) -> None:
    request = limited.hold(100)

    limited.release(request)
    limited.release(request)

    assert limited.admit(tokens_in=0, tokens_out=0).tpm_left == 100


def test_nothing_is_given_back_to_another_minute(limited: Cell) -> None:
    request = limited.hold(60)
    minute, _, _ = limited.window()
    limited.set_window(minute + 1, tokens=60)

    settle(limited, request, 1)

    assert limited.window() == (minute + 1, 0, 60)


def test_each_minute_has_its_own_window(limited: Cell) -> None:
    limited.set_window(limited.minute() - 1, tokens=100)

    assert limited.admit(tokens_in=0, tokens_out=60).tpm_left == 40


def test_without_a_limit_nothing_is_counted(cell: Cell) -> None:
    admitted = cell.admit()

    assert (admitted.tpm_limit, admitted.tpm_left) == (0, 0)
    assert counted(cell) == 0
    settle(cell, cell.hold(10), 5)
    assert counted(cell) == 0


def test_a_refusal_for_another_reason_counts_nothing(limited: Cell) -> None:
    limited.limit("org_acme", 10, number=2)

    assert refusal_of(limited, 11).reason == "budget_exceeded"

    assert counted(limited) == 0


def test_the_same_admit_is_counted_once(limited: Cell) -> None:
    request = ids.mint_request_id()
    for _ in range(3):
        limited.admit(request_id=request, tokens_in=0, tokens_out=60)

    assert counted(limited) == 60


def test_says_it_in_openais_words() -> None:
    later = problems.of_refusal(Refused("tokens", "key_one", 40, 100, 12_300, "41"), "m")
    never = problems.of_refusal(Refused("tokens", "key_one", 100, 100, 0, "101"), "m")

    assert (later.status, later.code, later.kind) == (429, "rate_limit_exceeded", "tokens")
    assert "(TPM): Limit 100, used 60, requested 41" in later.message
    assert dict(later.headers) == {
        b"retry-after": b"13",
        b"retry-after-ms": b"12300",
        b"x-ratelimit-limit-tokens": b"100",
        b"x-ratelimit-remaining-tokens": b"40",
        b"x-ratelimit-reset-tokens": b"13s",
    }
    assert never.message.startswith("Request too large")
    assert dict(never.headers)[b"x-should-retry"] == b"false"
    assert b"retry-after" not in dict(never.headers)
