"""The functions' own arithmetic against Python's integers and time zones.

The same text that Valkey loads is run by ``EVAL``, without its registrations.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import redis

from portal.admission import library
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.lib.money import ceil_micro, token_cost_micro
from tests.admission.cell import GRANT, MODEL, Cell, change, month_in_seoul

SEOUL = ZoneInfo("Asia/Seoul")
TEXT = library.source().split("\n", 1)[1].partition("\nlocal function register(")[0]
MOST = 2**53 - 1


def run(client: redis.Redis, code: str, *arguments: int) -> list[str]:
    reply = client.eval(f"{TEXT}\n{code}", 0, *arguments)
    return [raw.decode() for raw in reply]


def ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def edges() -> list[int]:
    """Around every turn of a month, 1990–2110, and at random. (Seoul had a summer time in 1988.)"""
    turns = [
        ms(datetime(year, month, 1, tzinfo=SEOUL).astimezone(UTC))
        for year in range(1990, 2111)
        for month in range(1, 13)
    ]
    chance = random.Random(20261124)
    return [turn + offset for turn in turns for offset in (-1, 0, 1)] + [
        chance.randrange(turns[0], turns[-1]) for _ in range(3000)
    ]


def _until_next_month(now: int) -> int:
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now)).astimezone(SEOUL)
    year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    return ms(datetime(year, month, 1, tzinfo=SEOUL).astimezone(UTC)) - now


def many(client: redis.Redis, code: str, numbers: list[int], step: int = 1000) -> list[str]:
    """The same code over slices of a long list."""
    return [
        one
        for start in range(0, len(numbers), step)
        for one in run(client, code, *numbers[start : start + step])
    ]


def test_months_are_those_of_seoul(valkey: redis.Redis) -> None:
    code = "local r = {} for i, v in ipairs(ARGV) do r[i] = month_of(tonumber(v)) end return r"
    moments = edges()

    assert many(valkey, code, moments) == [month_in_seoul(now) for now in moments]


def test_the_next_month_begins_when_it_does_in_seoul(valkey: redis.Redis) -> None:
    code = (
        "local r = {} for i, v in ipairs(ARGV) do r[i] = str(until_next_month(tonumber(v))) end "
        "return r"
    )
    moments = edges()

    found = many(valkey, code, moments)

    assert [int(one) for one in found] == [_until_next_month(now) for now in moments]


def _exact(tokens_in: int, price_in: int, tokens_out: int, price_out: int) -> int:
    return ceil_micro(
        token_cost_micro(tokens_in, price_in) + token_cost_micro(tokens_out, price_out)
    )


def _worst_cases() -> list[tuple[int, int, int, int]]:
    chance = random.Random(7)
    cases = []
    for _ in range(8000):
        bits = [chance.randrange(0, 33), chance.randrange(0, 54)]
        tokens = [min(2**32, chance.getrandbits(bits[0] + 1)) for _ in range(2)]
        prices = [min(MOST, chance.getrandbits(bits[1] + 1)) for _ in range(2)]
        cases.append((tokens[0], prices[0], tokens[1], prices[1]))
    corners = [0, 1, 999_999, 1_000_000, 1_000_001, 2**32 - 1, 2**32]
    dear = [0, 1, 999_999, 1_000_000, 1_000_001, 2_097_151_999_999, MOST]
    return cases + [(a, b, c, d) for a in corners for b in dear for c in corners for d in dear]


def test_worst_cases_are_exact_up_to_the_largest_budget(valkey: redis.Redis) -> None:
    """At the extremes of tokens and prices; what passes 2^53 is only known to be too large."""
    cases = _worst_cases()
    code = """
    local r = {}
    for i = 1, #ARGV, 4 do
      local worst = worst_case(int(ARGV[i]), int(ARGV[i + 1]), int(ARGV[i + 2]), int(ARGV[i + 3]))
      r[#r + 1] = worst > MAX and 'too_large' or str(worst)
    end
    return r"""

    found = many(valkey, code, [number for case in cases for number in case], 2000)

    exact = [_exact(*case) for case in cases]
    assert found == [str(one) if one <= MOST else "too_large" for one in exact]
    assert sum(one <= MOST for one in exact) > 2000
    assert sum(one > MOST for one in exact) > 500


@pytest.mark.parametrize(
    ("price_in", "price_out", "tokens_in", "tokens_out"),
    [
        (123_456_789, 987_654_321, 1_234_567, 7_654_321),
        (1, 1, 1, 1),
        (999_999, 1, 1, 2),
        (MOST // 2, 0, 1, 0),
        (MOST, 0, 1_000_000, 0),
        (1_000_001, 999_999, 2**32, 2**32),
    ],
)
def test_a_hold_is_exact_to_the_micro_won(
    cell: Cell, price_in: int, price_out: int, tokens_in: int, tokens_out: int
) -> None:
    model = change(MODEL, price_in=price_in, price_out=price_out)  # type: ignore[arg-type]
    cell.publish(change(GRANT, number=11, models={"smollm2": model}))
    for subject in GRANT.budgets:
        cell.limit(subject, MOST, number=2)

    admitted = cell.admit(tokens_in=tokens_in, tokens_out=tokens_out)

    worst = _exact(tokens_in, price_in, tokens_out, price_out)
    assert admitted.hold_micro == worst
    assert cell.used() == (0, 0, worst)
    assert cell.standing().left == admitted.left_micro == MOST - worst


def test_the_largest_budget_is_spent_to_the_last_micro_won(cell: Cell) -> None:
    """Where ``tostring`` would say 9.007199254741e+15."""
    for subject in GRANT.budgets:
        cell.limit(subject, MOST, number=2)
    model = change(MODEL, price_out=MOST)  # type: ignore[arg-type]
    cell.publish(change(GRANT, number=11, models={"smollm2": model}))

    request = cell.hold(999_999)  # all but a millionth
    cell.settle(request, cell.standing().held)
    cell.publish(change(GRANT, number=12))  # one micro-won a token again
    while (left := cell.standing().left) > 0:
        part = min(left, 2**32)
        cell.settle(cell.hold(part), part)

    assert cell.used() == (MOST, 0, 0)


@pytest.mark.parametrize("limit", [2**53, -1])
def test_a_limit_that_could_not_be_exact_is_an_error(cell: Cell, limit: int) -> None:
    with pytest.raises(AdmissionUnavailable, match="not an amount"):
        cell.limit("org_acme", limit, number=2)

    assert cell.standing().limit == 1000


def test_soft_budgets_end_where_integers_are_exact(cell: Cell) -> None:
    for subject in GRANT.budgets:
        cell.limit(subject, 0, hard=False, number=2)
    cell.commit("ord_1", MOST - 100)

    with pytest.raises(Refused, match="budget_exceeded"):
        cell.hold(101)
    cell.hold(100)

    assert cell.used() == (0, MOST - 100, 100)
