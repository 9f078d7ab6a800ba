"""A line of an invoice down to requests: every level adds up to the one above."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing import drilldown, invoices
from billing.models import Invoice, InvoiceLine
from portal.lib.periods import Month
from tenants import actors, rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

NOVEMBER = Month(2026, 11)
DAY = timedelta(days=1)
MONDAY = date(2026, 11, 16)


def use(cast: Cast, **fields: Any) -> None:
    factories.ledger_entry(cast.project, **{"tokens_in": 1_000, "tokens_out": 0} | fields)


def bill(cast: Cast, month: Month = NOVEMBER, until: datetime | None = None) -> Invoice:
    end = until or month.period.end
    found = invoices.issue(
        organization=cast.firm,
        kind="interim" if until else "month",
        month=month,
        until=end,
        by=actors.system(cast.firm, "Month end"),
        now=end,
    )
    assert found is not None
    return found


def line_of(invoice: Invoice, kind: str) -> InvoiceLine:
    return invoice.lines.get(item__contains=f"|{kind}|")


def days(invoice: Invoice, kind: str) -> list[tuple[str, int, int]]:
    with rls.tenant(invoice.organization_id):
        line = line_of(invoice, kind)
        found = drilldown.days(line)
        assert sum(one.quantity for one in found) == line.quantity
        exact = sum((one.won for one in found), Decimal(0))
        assert abs(exact - line.amount_won) <= Decimal("0.5")
        return [(str(one.day), one.quantity, one.of_day) for one in found]


def parts(cast: Cast, invoice: Invoice, kind: str, day: date) -> list[tuple[str, int, int | None]]:
    with rls.tenant(cast.firm.pk):
        found = drilldown.parts(cast.alice.may, line_of(invoice, kind), day)
    return [(one.name, one.quantity, one.requests) for one in found]


def test_a_line_is_made_of_days_and_a_day_of_keys(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=2_000_000, tokens_cached=300_000, key="key_a")
    use(cast, at=NOON + timedelta(hours=1), tokens_in=500_000, key="key_b")
    use(cast, at=NOON + timedelta(hours=2), tokens_in=1, key="key_b")
    use(cast, at=NOON + 3 * DAY, tokens_in=7)
    use(cast, at=NOON, model=factories.EMBEDDING, key="key_c")
    invoice = bill(cast)

    assert days(invoice, f"token_in|{factories.CHAT}") == [
        ("2026-11-16", 2_200_001, 2_200_001),
        ("2026-11-19", 7, 7),
    ]
    assert days(invoice, f"token_cached|{factories.CHAT}") == [("2026-11-16", 300_000, 300_000)]
    assert parts(cast, invoice, f"token_in|{factories.CHAT}", MONDAY) == [
        ("key_a", 1_700_000, 1),
        ("key_b", 500_001, 2),
    ]


def test_shares_a_day_between_two_invoices(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=1_000_000)
    first = bill(cast, until=NOON + timedelta(hours=1))
    use(cast, at=NOON + timedelta(hours=2), tokens_in=500_000)
    use(cast, at=NOON + DAY, tokens_in=300_000)
    second = bill(cast)

    assert days(first, "token_in") == [("2026-11-16", 1_000_000, 1_500_000)]
    assert days(second, "token_in") == [
        ("2026-11-16", 500_000, 1_500_000),
        ("2026-11-17", 300_000, 300_000),
    ]


def test_finds_late_use_on_the_invoice_that_billed_it(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=1_000_000)
    use(cast, at=NOON + 2 * DAY, tokens_in=1_000_000)
    bill(cast)
    use(cast, at=NOON - DAY, tokens_in=40_000, late=True)

    december = bill(cast, NOVEMBER.next)

    assert days(december, "token_in") == [("2026-11-15", 40_000, 40_000)]


def test_explains_what_was_taken_back(cast: Cast, prices: None) -> None:
    use(cast, tokens_in=1_000_000, settled_micro=1, written_off_micro=5_000_000, key="key_a")
    use(cast, at=NOON + timedelta(minutes=1), tokens_in=1)
    invoice = bill(cast)

    assert days(invoice, "correction") == [("2026-11-16", -5_000_000, -5_000_000)]
    assert parts(cast, invoice, "correction", MONDAY) == [("key_a", -5_000_000, 1)]


def test_explains_card_time_by_replica(cast: Cast, prices: None) -> None:
    endpoint = factories.endpoint(cast.project)
    for start, minutes in ((NOON, 30), (NOON + DAY, 60), (NOON + DAY + timedelta(hours=1), 20)):
        factories.card_time(endpoint, start=start, end=start + timedelta(minutes=minutes))
    other = factories.endpoint(cast.project, "다른-것")
    factories.card_time(other, start=NOON, end=NOON + timedelta(minutes=5))
    invoice = bill(cast)

    kind = f"card_seconds|{endpoint.public_id}"
    assert days(invoice, kind) == [("2026-11-16", 1800, 1800), ("2026-11-17", 4800, 4800)]
    found = parts(cast, invoice, kind, MONDAY + DAY)
    assert sorted(one[1:] for one in found) == [(1200, None), (3600, None)]


@pytest.mark.parametrize("item", ["fee", "2026-11|fee|a|b|", "interest|x"])
def test_does_not_explain_what_is_not_use(item: str) -> None:
    assert not drilldown.is_explained(InvoiceLine(item=item))
