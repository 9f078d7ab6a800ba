"""Exact amounts, one rounding a line, VAT: properties and tables. No database."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import rating
from billing.rating import Item
from portal.lib import money

prices = st.decimals(min_value=0, max_value=10**6, places=6)
tokens = st.integers(min_value=0, max_value=10**12)
items = st.builds(
    Item,
    usage_month=st.sampled_from(["2026-10", "2026-11"]),
    kind=st.sampled_from(["token_in", "token_cached", "token_out", "card_seconds", "correction"]),
    subject=st.sampled_from(["a", "b"]),
    price_version=st.sampled_from(["tar_1", "tar_2"]),
)
quantities = st.integers(min_value=-(10**9), max_value=10**9)


@given(st.lists(tokens, max_size=20), prices)
def test_adds_up_exactly_however_it_is_split(parts: list[int], price: Decimal) -> None:
    together = rating.token_amount(sum(parts), price)

    assert sum((rating.token_amount(part, price) for part in parts), Fraction(0)) == together


@given(st.lists(st.integers(min_value=0, max_value=10**7), max_size=20), prices)
def test_adds_card_seconds_up_exactly(parts: list[int], price: Decimal) -> None:
    together = rating.card_amount(sum(parts), price)

    assert sum((rating.card_amount(part, price) for part in parts), Fraction(0)) == together


@pytest.mark.parametrize(
    ("kind", "quantity", "price", "won"),
    [
        ("token_in", 1_500_000, "60", "90"),
        ("token_cached", 1, "6", "0.000006"),
        ("token_out", 2_000_000, "0.5", "1"),
        ("card_seconds", 1800, "1450", "725"),
        ("storage", 2 * 1000 * 86_400, "3.7", "7.4"),
        ("cut", 7, "60", "0"),
        *((kind, -2_500_000, "60", "-2.5") for kind in ("batch", "tiers", "correction")),
        *((kind, 1, "60", "0.000001") for kind in ("fee", "minimum", "replica_minimum")),
        ("interest", 3_000_000, "60", "3"),
    ],
)
def test_prices_each_kind_in_its_own_unit(kind: str, quantity: int, price: str, won: str) -> None:
    item = Item("2026-11", kind, "a", "tar_1")

    assert rating.amount(item, quantity, Decimal(price)) == Fraction(won)


@pytest.mark.parametrize(
    ("kind", "quantity", "price", "micro"),
    [
        ("token_in", 1, "0.000001", "0.000001"),
        ("card_seconds", 1, "1450", "402777.777778"),
        ("storage", 1, "0.000216", "0.000003"),  # 2.5: half up
        ("correction", -7, "0", "-7"),
    ],
)
def test_accrues_a_day_to_six_decimals(kind: str, quantity: int, price: str, micro: str) -> None:
    item = Item("2026-11", kind, "a", "tar_1")

    assert rating.exact_micro(item, quantity, Decimal(price)) == Decimal(micro)


def test_one_token_and_one_second_cost_their_part() -> None:
    assert rating.token_amount(1, Decimal(60)) == Fraction(60, 1_000_000)
    assert rating.card_amount(1, Decimal(1450)) == Fraction(1450, 3600)
    assert rating.decimal_of(Fraction(1, 8)) == Decimal("0.125")


def test_an_item_is_written_as_its_parts_and_read_back() -> None:
    item = Item("2026-11", "card_seconds", "ep_1", "tar_2", "a|b · rngd")

    assert item.key() == "2026-11|card_seconds|ep_1|tar_2|a|b · rngd"
    assert Item.parse(item.key()) == item


@given(st.fractions(min_value=-(10**9), max_value=10**9))
def test_rounds_by_half_a_won_at_most(exact: Fraction) -> None:
    assert abs(rating.rounded(exact) - exact) <= Fraction(1, 2)
    assert rating.rounded(-exact) == -rating.rounded(exact)


@pytest.mark.parametrize(
    ("exact", "won"),
    [("0", 0), ("0.499999", 0), ("0.5", 1), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("-0.4", 0)],
)
def test_rounds_half_up(exact: str, won: int) -> None:
    assert rating.rounded(Fraction(exact)) == won
    assert money.line_amount(Decimal(exact)) == won


@given(st.dictionaries(items, quantities, max_size=12))
def test_bills_nothing_twice(used: dict[Item, int]) -> None:
    first = rating.rest(used, [])
    billed = [(item.key(), quantity) for item, quantity in first]

    assert rating.rest(used, billed) == []
    assert rating.rest(used, []) == first


@given(
    st.dictionaries(items, quantities, max_size=8), st.dictionaries(items, quantities, max_size=8)
)
def test_bills_later_exactly_what_came_later(
    before: dict[Item, int], later: dict[Item, int]
) -> None:
    billed = [(item.key(), quantity) for item, quantity in rating.rest(before, [])]
    used = {item: before.get(item, 0) + later.get(item, 0) for item in before | later}

    rest = dict(rating.rest(used, billed))

    assert rest == {item: quantity for item, quantity in later.items() if quantity}


@given(st.dictionaries(items, quantities, max_size=12))
def test_puts_lines_in_one_order(used: dict[Item, int]) -> None:
    backwards = dict(reversed(used.items()))

    assert rating.rest(backwards, []) == rating.rest(used, [])


def test_orders_by_month_then_card_time_then_the_rest() -> None:
    kinds = [("2026-11", "batch"), ("2026-10", "token_out"), ("2026-11", "card_seconds")]
    used = {Item(month, kind, "a", "tar_1"): 1 for month, kind in kinds}

    found = [(item.usage_month, item.kind) for item, _ in rating.rest(used, [])]
    assert found == [kinds[1], kinds[2], kinds[0]]


@pytest.mark.parametrize(
    ("supply", "vat"),
    [(0, 0), (1, 0), (9, 0), (10, 1), (11, 1), (19, 1), (20, 2), (99, 9), (1_234_567, 123_456)],
)
def test_cuts_vat_off_below_one_won(supply: int, vat: int) -> None:
    assert money.vat(supply) == vat


@given(st.integers(min_value=0, max_value=10**15))
def test_never_takes_more_than_a_tenth(supply: int) -> None:
    assert 0 <= supply - money.vat(supply) * 10 < 10


@given(tokens, prices)
def test_prices_a_request_as_rating_does_within_a_micro_won(count: int, price: Decimal) -> None:
    micro = money.ceil_micro(money.token_cost_micro(count, money.token_price_to_micro(price)))

    exact = rating.token_amount(count, price) * money.MICRO
    assert 0 <= micro - exact < 1
