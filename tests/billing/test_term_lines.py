"""Tiers, discounts, fees and minimums of a month: tables with their edges, and properties."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating import Item
from billing.term_lines import (
    BATCH,
    LONGEST_TEXT,
    ExtraLine,
    Monthly,
    Percent,
    ReplicaMinimum,
    Run,
    Step,
    Term,
    Tiers,
    Used,
    days_of,
    extra_lines,
    parts_of,
)
from portal.lib.money import MICRO
from portal.lib.periods import Month

NOVEMBER = Month(2026, 11)
BEFORE = date(2026, 1, 1)
HALF = date(2026, 11, 16)  # half of November is over
MODEL = "tokens/m"
STEPS = (
    Step(0, 100, Decimal(0)),
    Step(100, 1000, Decimal(10)),
    Step(1000, None, Decimal(20)),
)


def tiers(mode: Literal["graduated", "volume"], steps: tuple[Step, ...] = STEPS) -> Term:
    return Term("trm_tiers", "tiers", MODEL, Tiers(mode, steps), BEFORE)


def term(kind: str, value: Any, item: str = "", **more: Any) -> Term:
    return Term(f"trm_{kind}", kind, item, value, **({"first": BEFORE} | more))


def tokens(millions: int | Fraction, won_per_million: int = 60, label: str = "") -> Used:
    quantity = int(Fraction(millions) * MICRO)
    exact = Fraction(quantity, MICRO) * won_per_million
    return Used(Item("2026-11", "token_in", "m", "tar_1", label), MODEL, quantity, exact)


def won(lines: list[ExtraLine]) -> list[Fraction]:
    return [line.won for line in lines]


# ─── tiers ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("millions", "graduated", "volume"),
    [
        # at ₩60 a million: rebates in won
        (0, 0, 0),
        (1, 0, 0),
        (100, 0, 600),  # a step begins at its number: 100 × 60 × 10 %
        (101, 6, 606),
        (999, 899 * 6, 5994),
        (1000, 900 * 6, 12_000),
        (1001, 900 * 6 + 12, 12_012),
        (10_000, 900 * 6 + 9000 * 12, 120_000),
    ],
)
def test_takes_a_rebate_off_what_was_charged(millions: int, graduated: int, volume: int) -> None:
    used = [tokens(millions)]

    assert sum(won(extra_lines(NOVEMBER, [tiers("graduated")], used))) == -graduated
    assert sum(won(extra_lines(NOVEMBER, [tiers("volume")], used))) == -volume


def test_says_how_it_was_reckoned() -> None:
    other = Used(Item("2026-11", "token_in", "n", "tar_1"), "tokens/n", 10**9, Fraction(60_000))

    (line,) = extra_lines(NOVEMBER, [tiers("graduated")], [tokens(250), other])

    assert line.won == -900
    assert line.text_en == "Graduated rebate, m (M tokens): ₩15,000 ÷ 250 × (100×0% + 150×10%)"
    assert line.text_ko == "구간별 할인 m (백만 토큰): ₩15,000 ÷ 250 × (100×0% + 150×10%)"


def test_a_change_of_price_in_the_month_counts_by_what_was_charged() -> None:
    used = [tokens(100, 60), tokens(100, 30)]  # 200 M for 9,000: 45 on average

    (line,) = extra_lines(NOVEMBER, [tiers("graduated")], used)

    assert line.won == -100 * 45 / Fraction(10)


def test_a_step_of_a_whole_discount_costs_nothing_more() -> None:
    free = (Step(0, 10, Decimal(0)), Step(10, None, Decimal(100)))

    (line,) = extra_lines(NOVEMBER, [tiers("graduated", free)], [tokens(30)])

    assert 30 * 60 + line.won == 10 * 60


def test_counts_card_hours_of_a_chip() -> None:
    item = Item("2026-11", "card_seconds", "ep_1", "tar_2", "a · rngd · daegu-1")
    used = [Used(item, "cards/rngd", 200 * 3600, Fraction(200 * 1450))]
    of_cards = Term("trm_c", "tiers", "cards/rngd", Tiers("graduated", STEPS), BEFORE)

    (line,) = extra_lines(NOVEMBER, [of_cards], used)

    assert line.won == -100 * 145


units = st.fractions(min_value=0, max_value=10**6, max_denominator=10**6)
offs = st.decimals(min_value=0, max_value=100, places=2)


@st.composite
def chains(draw: st.DrawFn) -> tuple[Step, ...]:
    starts = [0, *sorted(draw(st.sets(st.integers(1, 10**6), max_size=6)))]
    ends = [*starts[1:], None]
    return tuple(Step(a, b, draw(offs)) for a, b in zip(starts, ends, strict=True))


@settings(max_examples=2000)
@given(chains(), units)
def test_the_parts_are_the_whole(steps: tuple[Step, ...], quantity: Fraction) -> None:
    for mode in ("graduated", "volume"):
        parts = parts_of(Tiers(mode, steps), quantity)  # type: ignore[arg-type]
        assert sum((part for part, _off in parts), Fraction(0)) == quantity
        assert all(part >= 0 for part, _off in parts)


@settings(max_examples=2000)
@given(chains(), st.integers(0, 10**12), st.integers(0, 10**12))
def test_more_use_never_costs_less_with_graduated_tiers(
    steps: tuple[Step, ...], less: int, more: int
) -> None:
    def cost(quantity: int) -> Fraction:
        used = tokens(Fraction(quantity, MICRO))
        lines = extra_lines(NOVEMBER, [tiers("graduated", steps)], [used])
        return used.exact + sum(won(lines), Fraction(0))

    first, second = sorted((less, more))
    assert cost(first) <= cost(second) + Fraction(1, MICRO)  # a line has whole micro-won


@settings(max_examples=2000)
@given(chains(), st.integers(0, 10**12), st.integers(1, 10**6))
def test_a_rebate_never_exceeds_what_was_charged(
    steps: tuple[Step, ...], quantity: int, price: int
) -> None:
    for mode in ("graduated", "volume"):
        used = tokens(Fraction(quantity, MICRO), price)
        for line in extra_lines(NOVEMBER, [tiers(mode, steps)], [used]):  # type: ignore[arg-type]
            assert -used.exact - Fraction(1, MICRO) <= line.won <= 0
            assert len(line.text_ko) <= LONGEST_TEXT
            assert len(line.text_en) <= LONGEST_TEXT


# ─── batch ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("discounts", "rebate"),
    [
        ([("m", 50)], -300),
        ([("*", 20)], -120),
        ([("m", 50), ("*", 20)], -300),  # of the model before the one of all
        ([("other", 50)], 0),
    ],
)
def test_a_discount_for_batch_is_of_batch_alone(
    discounts: list[tuple[str, int]], rebate: int
) -> None:
    terms = [term("batch", Percent(Decimal(off)), item) for item, off in discounts]
    used = [tokens(10, label=BATCH), tokens(1000)]

    assert sum(won(extra_lines(NOVEMBER, terms, used))) == rebate


def test_batch_does_not_count_for_tiers() -> None:
    used = [tokens(100), tokens(900, label=BATCH)]

    assert extra_lines(NOVEMBER, [tiers("graduated")], used) == []


# ─── fees and minimums ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "end", "days"),
    [
        (date(2026, 1, 1), None, 30),
        (date(2026, 11, 1), date(2026, 12, 1), 30),
        (date(2026, 11, 16), None, 15),
        (date(2026, 11, 30), None, 1),
        (date(2026, 12, 1), None, 0),
        (date(2026, 1, 1), date(2026, 11, 1), 0),
        (date(2026, 1, 1), date(2026, 11, 2), 1),
        (date(2026, 11, 10), date(2026, 11, 11), 1),
        (date(2026, 11, 10), date(2026, 11, 10), 0),
    ],
)
def test_counts_the_days_of_a_month(first: date, end: date | None, days: int) -> None:
    one = term("fee", Monthly(300_000), "support", first=first, end=end, agreed=True)

    assert days_of(NOVEMBER, one) == days
    assert sum(won(extra_lines(NOVEMBER, [one], []))) == 10_000 * days


def test_a_fee_of_the_list_is_due_in_months_with_use_only() -> None:
    fee = term("fee", Monthly(10_000), "base")

    assert extra_lines(NOVEMBER, [fee], []) == []
    assert won(extra_lines(NOVEMBER, [fee], [tokens(1)])) == [10_000]


def test_an_agreed_term_replaces_the_one_of_the_list() -> None:
    terms = [
        term("fee", Monthly(10_000), "base"),
        term("fee", Monthly(5_000), "base", agreed=True),
    ]

    assert won(extra_lines(NOVEMBER, terms, [tokens(1)])) == [5_000]


@pytest.mark.parametrize(
    ("millions", "first", "missing"),
    [
        (0, BEFORE, 60_000),
        (1, BEFORE, 59_940),
        (999, BEFORE, 60),
        (1000, BEFORE, 0),
        (1001, BEFORE, 0),
        (0, date(2026, 11, 16), 30_000),
        (500, date(2026, 11, 16), 0),
    ],
)
def test_bills_what_is_missing_of_the_minimum(millions: int, first: date, missing: int) -> None:
    least = term("minimum", Monthly(60_000), first=first, agreed=True)

    lines = extra_lines(NOVEMBER, [least], [tokens(millions)])

    assert sum(won(lines)) == missing


def test_a_minimum_counts_after_rebates_and_without_fees() -> None:
    terms = [
        tiers("graduated"),
        term("minimum", Monthly(20_000), agreed=True),
        term("fee", Monthly(7_000), "support", agreed=True),
    ]

    lines = extra_lines(NOVEMBER, terms, [tokens(250)])  # 15,000 − 900

    assert {line.item.kind: line.won for line in lines} == {
        "tiers": -900,
        "fee": 7_000,
        "minimum": 5_900,
    }
    least = next(line for line in lines if line.item.kind == "minimum")
    assert least.text_en == "Up to the monthly minimum: ₩20,000 − ₩14,100"


@pytest.mark.parametrize(
    ("seconds", "won_missing"), [(0, 1450), (1, Fraction(1450 * 3599, 3600)), (3600, 0), (9999, 0)]
)
def test_a_replica_is_billed_the_shortest_time(seconds: int, won_missing: Fraction | int) -> None:
    least = term("replica_minimum", ReplicaMinimum(3600), "rngd")
    run = Run("ep_1", "a", "rngd", 1, seconds, Decimal(1450))
    other = Run("ep_2", "b", "atom-max", 1, 1, Decimal(1180))

    lines = extra_lines(NOVEMBER, [least], [], [run, other])

    assert abs(sum(won(lines), Fraction(0)) - won_missing) < Fraction(1, MICRO)


def test_each_card_of_a_replica_counts() -> None:
    least = term("replica_minimum", ReplicaMinimum(3600), "rngd")

    (line,) = extra_lines(NOVEMBER, [least], [], [Run("ep", "a", "rngd", 4, 1800, Decimal(1450))])

    assert line.won == 4 * 725


def test_lines_stand_in_one_order() -> None:
    terms = [
        term("minimum", Monthly(10**9), agreed=True),
        term("fee", Monthly(7_000), "b", agreed=True),
        term("fee", Monthly(7_000), "a", agreed=True),
        term("replica_minimum", ReplicaMinimum(3600), "rngd"),
        tiers("graduated"),
        term("batch", Percent(Decimal(50)), "*"),
    ]
    run = Run("ep", "a", "rngd", 1, 0, Decimal(1450))

    lines = extra_lines(NOVEMBER, terms, [tokens(250), tokens(1, label=BATCH)], [run])

    assert [line.item.kind for line in lines] == [
        "batch", "tiers", "replica_minimum", "fee", "fee", "minimum"
    ]  # fmt: skip
    assert [line.item.subject for line in lines[3:5]] == ["a", "b"]
    assert lines[5].won == 10**9 - (251 * 60 - 30 - 900 + 1450)


def test_the_discount_of_all_adds_its_models_up() -> None:
    other = Item("2026-11", "token_in", "n", "tar_1", BATCH)
    used = [Used(other, "tokens/n", 1, Fraction(40))] * 2 + [tokens(10, label=BATCH)] * 2
    terms = [term("batch", Percent(Decimal(10)), "*"), term("batch", Percent(Decimal(50)), "n")]

    assert won(extra_lines(NOVEMBER, terms[:1], used)) == [-128]
    assert won(extra_lines(NOVEMBER, terms, used)) == [-120, -40]


def test_an_agreed_term_replaces_its_own_item_only_and_follows_another() -> None:
    terms = [
        term("fee", Monthly(10_000), "base"),
        term("fee", Monthly(300), "extra", end=HALF, agreed=True),
        term("fee", Monthly(600), "extra", first=HALF, agreed=True),
        term("minimum", Monthly(60), "base", agreed=True),
    ]
    later = [
        term("fee", Monthly(1), "base", first=date(2026, 12, 1), agreed=True),
        term("tiers", Tiers("volume", STEPS), MODEL, first=date(2026, 12, 1)),
    ]

    assert won(extra_lines(NOVEMBER, terms + later, [tokens(100)])) == [10_000, 150, 300]


def test_use_that_was_taken_back_has_no_tiers_and_costs_no_fee() -> None:
    terms = [tiers("volume"), term("fee", Monthly(10_000), "base")]

    assert extra_lines(NOVEMBER, terms, [tokens(0)]) == []
    assert won(extra_lines(NOVEMBER, terms[:1], [tokens(-2000)])) == []


def test_the_same_terms_give_the_same_lines_in_any_order() -> None:
    terms = [tiers("graduated"), term("fee", Monthly(7_000), "x", agreed=True)]
    used = [tokens(250), tokens(10, 30)]

    assert extra_lines(NOVEMBER, terms, used) == extra_lines(NOVEMBER, terms[::-1], used[::-1])


@settings(max_examples=2000)
@given(
    st.integers(1, 10**10),
    st.lists(st.integers(0, 10**11), max_size=4),
    st.dates(date(2026, 9, 1), date(2027, 1, 31)),
)
def test_use_and_what_is_missing_reach_the_minimum(
    least: int, quantities: list[int], first: date
) -> None:
    one = term("minimum", Monthly(least), first=first, agreed=True)
    used = [tokens(Fraction(quantity, MICRO)) for quantity in quantities]

    charged = sum((row.exact for row in used), Fraction(0))
    whole = charged + sum(won(extra_lines(NOVEMBER, [one], used)), Fraction(0))

    due = Fraction(least * days_of(NOVEMBER, one), 30)
    assert abs(whole - max(charged, due)) <= Fraction(1, MICRO)
