"""What an invoice posts, over any lines: properties without a database."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing import rating
from billing.drafts import Draft, DraftLine, transfers
from billing.journal import Transfer
from billing.models import Account
from billing.rating import Item

prices = st.decimals(min_value=0, max_value=10**6, places=6)
days = st.lists(st.integers(min_value=1, max_value=10**8), min_size=1, max_size=5)
kinds = st.sampled_from(["token_in", "token_out", "card_seconds", "storage"])


@st.composite
def of_use(draw: st.DrawFn) -> DraftLine:
    """A line that takes over what its days have accrued."""
    item = Item("2026-11", draw(kinds), "a", "tar_1")
    price, quantities = draw(prices), draw(days)
    micro = sum((rating.exact_micro(item, one, price) for one in quantities), Decimal(0))
    return DraftLine(item, sum(quantities), price, micro)


@st.composite
def corrections(draw: st.DrawFn) -> DraftLine:
    lost = draw(st.integers(min_value=1, max_value=10**9))
    return DraftLine(Item("2026-11", "correction", "a", "tar_1"), -lost, Decimal(0), Decimal(-lost))


drafts = st.lists(of_use() | corrections(), min_size=1, max_size=6).map(
    lambda lines: Draft(tuple(lines))
)


def balances(found: list[Transfer]) -> dict[Account, Decimal]:
    sums: dict[Account, Decimal] = defaultdict(Decimal)
    for one in found:
        assert one.won > 0 and one.debit != one.credit  # as the database demands
        sums[one.debit] += one.micro
        sums[one.credit] -= one.micro
    return sums


@settings(max_examples=2000, deadline=None)
@given(drafts)
def test_every_invoice_balances(draft: Draft) -> None:
    """It takes over what was accrued to the last digit, owes its total, and rounds by half a won
    a line at most."""
    found = balances(transfers(draft))

    assert sum(found.values()) == 0
    assert found[Account.RECEIVABLE] == draft.total_won * 10**6
    assert -found[Account.ACCRUED] == sum(line.exact_micro for line in draft.lines)
    assert -found[Account.VAT] == draft.vat_won * 10**6
    off = Fraction(len(draft.lines), 2) + Fraction(len(draft.lines) * 5, 10**12)
    assert abs(Fraction(found[Account.ROUNDING]) / 10**6) <= off
