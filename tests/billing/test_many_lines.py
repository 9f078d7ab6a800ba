"""An invoice of 100,000 lines: the same total however it is added up, and 99 lines for the tax
service (case 68 of the catalogue of bad input)."""

from __future__ import annotations

from datetime import date

from billing.etax import documents
from billing.vat import VatRule

COUNT = 100_000
AMOUNTS = [n * 977 % 10_007 for n in range(COUNT)]


def test_adds_up_to_the_same_total() -> None:
    vat_won = VatRule().vat(AMOUNTS)

    told = documents.item_lines(
        [(f"{n}", won) for n, won in enumerate(AMOUNTS)], vat_won, date(2026, 11, 30)
    )

    assert vat_won == sum(AMOUNTS) // 10
    assert 0 <= vat_won - VatRule(per_line=True).vat(AMOUNTS) < COUNT  # each is cut off
    assert (len(told), told[-1].name) == (99, f"외 {COUNT - 98}건")
    assert sum(line.supply_won for line in told) == sum(AMOUNTS)
    assert sum(line.vat_won for line in told) == vat_won
