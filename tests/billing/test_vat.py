"""Tax by a stated rule: odd amounts, every rounding, and the cut to ten won."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.vat import ROUNDINGS, UnknownRule, VatRule

HUNDRED_MILLION = 100_000_000


@pytest.mark.parametrize(
    ("won", "truncate", "half_up", "up"),
    [
        (0, 0, 0, 0),
        (1, 0, 0, 1),
        (4, 0, 0, 1),
        (5, 0, 1, 1),
        (9, 0, 1, 1),
        (10, 1, 1, 1),
        (11, 1, 1, 2),
        (19, 1, 2, 2),
        (10_005, 1000, 1001, 1001),
        (-19, -1, -2, -2),
        (HUNDRED_MILLION + 1, 10_000_000, 10_000_000, 10_000_001),
        (987_654_321_987, 98_765_432_198, 98_765_432_199, 98_765_432_199),
    ],
)
def test_taxes_one_amount_by_the_rule(won: int, truncate: int, half_up: int, up: int) -> None:
    found = [VatRule(name).of_amount(won) for name in ("truncate", "half_up", "up")]

    assert found == [truncate, half_up, up]


def test_rounds_once_a_document_or_once_a_line() -> None:
    assert VatRule().vat([9, 9, 2]) == 2
    assert VatRule(per_line=True).vat([9, 9, 2]) == 0
    assert VatRule("up", per_line=True).vat([9, 9, 2]) == 3


@pytest.mark.parametrize(
    "code",
    ["truncate", "half_up", "up", "truncate/line", "up/ten", "half_up/line/ten"],
)
def test_reads_what_stands_on_documents(code: str) -> None:
    assert VatRule.parse(code).code == code


@pytest.mark.parametrize("code", ["", "down", "truncate/", "truncate/ten/line", "truncate/line/x"])
def test_refuses_a_code_that_no_document_bears(code: str) -> None:
    with pytest.raises(UnknownRule):
        VatRule.parse(code)


amounts = st.lists(st.integers(min_value=-500, max_value=10**12), min_size=1, max_size=6)


@settings(max_examples=2000, deadline=None)
@given(amounts=amounts, rounding=st.sampled_from(sorted(ROUNDINGS)), per_line=st.booleans())
def test_cuts_to_a_total_that_ends_in_nought(
    amounts: list[int], rounding: str, per_line: bool
) -> None:
    rule = VatRule(rounding, per_line, ten_won=True)
    total = sum(amounts) + rule.vat(amounts)

    off = rule.cut(amounts)

    less = [*amounts, -off]
    after = sum(less) + rule.vat(less)
    assert off >= 0
    if total >= 10 and sum(amounts) >= 20:
        assert after % 10 == 0
        assert 0 <= total - after < 20 + 2 * per_line
    assert VatRule(rounding, per_line).cut(amounts) == 0


@pytest.mark.parametrize(("won", "off"), [(5, 0), (9, 0), (10, 10), (11, 11), (20, 1)])
def test_cuts_nothing_of_what_is_below_ten_won(won: int, off: int) -> None:
    """A total of 9 stays; below one of 11 (10 and its tax) no total ends in 0 but nought itself."""
    assert VatRule(ten_won=True).cut([won]) == off
