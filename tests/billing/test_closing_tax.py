"""Month end: who is taxed how, and what late interest is of."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.closing import drafting
from billing.etax import profiles
from billing.etax.documents import TaxKind
from billing.models import Invoice, InvoiceLine
from tests.billing.months import AFTER, REVIEWED, firms, run, use
from tests.billing.payments.conftest import bill
from tests.billing.payments.test_bookings import receive
from tests.cast import Cast


def tax_as(kind: str, cast: Cast) -> None:
    profiles.tax_as(
        organization=cast.firm,
        tax=TaxKind(kind),
        because="영세율 확인서",
        by=cast.olivia.may,
        now=AFTER,
    )


@pytest.mark.parametrize("few", [50, 0])  # one by one, and by sets
def test_bills_no_tax_to_whom_none_is_owed(
    cast: Cast, prices: None, everyone: None, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(drafting, "FEW", few)
    tax_as("zero_rated", cast)
    use(cast.project)
    firms(1)

    run(REVIEWED)

    ours = Invoice.objects.get(organization=cast.firm)
    assert (ours.supply_won, ours.vat_won, ours.vat_rule) == (60, 0, "zero")
    assert Invoice.objects.get(vat_rule="truncate").vat_won == 6


def test_makes_a_draft_again_when_its_customer_is_taxed_otherwise(
    cast: Cast, prices: None, everyone: None
) -> None:
    use(cast.project)
    run(AFTER)
    tax_as("exempt", cast)

    run(REVIEWED)

    assert Invoice.objects.get().vat_rule == "zero"


def test_interest_bears_no_interest(
    cast: Cast, prices: None, everyone: None, settings: Any
) -> None:
    settings.DURE_LATE_INTEREST_PERCENT = Decimal(6)
    use(cast.project)
    bill(cast.firm, 110_000 + 40_000, due=date(2026, 10, 1), untaxed=40_000)
    bill(cast.firm, 50_000, due=date(2026, 10, 1), untaxed=50_000)
    half_paid = bill(cast.firm, 110_000 + 40_000, due=date(2026, 10, 1), untaxed=40_000)
    receive(cast.firm, 60_000, first=half_paid.public_id)  # pays the interest, then 20,000

    run(REVIEWED)

    lines = InvoiceLine.objects.filter(unit="interest")
    # 110,000 and 90,000 won × 30 days of November / 365 × 6 %
    assert sorted(one.amount_won for one in lines) == [444, 542]
