"""An invoice of 100,000 lines: the same total however it is added up, and 99 lines for the tax
service (case 68 of the catalogue of bad input)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.drafts import Draft, DraftLine
from billing.etax import documents
from billing.rating import Item
from billing.vat import VatRule

COUNT = 100_000


def test_adds_up_to_the_same_total() -> None:
    lines = [
        DraftLine(Item("2026-11", "token_in", f"model-{n % 50}", f"tar_{n}"), n * 977, Decimal(60))
        for n in range(1, COUNT + 1)
    ]
    expected = sum((n * 977 * 60 * 2 + 10**6) // (2 * 10**6) for n in range(1, COUNT + 1))

    found = Draft(tuple(lines), VatRule())
    told = documents.item_lines(
        [(line.item.subject, line.amount_won) for line in lines], found.vat_won, date(2026, 11, 30)
    )

    assert found.supply_won == expected
    assert found.total_won == expected + expected // 10
    assert (len(told), told[-1].name) == (99, f"외 {COUNT - 98}건")
    assert sum(line.supply_won for line in told) == expected
    assert sum(line.vat_won for line in told) == found.vat_won
