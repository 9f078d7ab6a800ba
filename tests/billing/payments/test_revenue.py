"""Revenue by month: documents of the month that they bill, payments of the month they came in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import revenue
from billing.revenue import MonthRevenue
from portal.lib.periods import Month
from tenants import rls
from tenants.actors import Actor, NotAllowed
from tests.billing.payments.conftest import bill
from tests.billing.payments.test_bookings import receive
from tests.cast import Cast
from tests.factories import NOON


def test_sums_documents_and_payments_by_month(cast: Cast, olivia: Actor) -> None:
    bill(cast.firm, 1100)
    bill(cast.mallory.may.organization, 5500)
    receive(cast.firm, 700)

    with rls.everyone(because="test"):
        found = revenue.by_month(olivia, now=NOON + timedelta(days=31))

    assert [str(one.month) for one in found][:3] == ["2026-12", "2026-11", "2026-10"]
    assert len(found) == revenue.MONTHS
    assert found[1] == MonthRevenue(
        month=Month(2026, 11),
        invoices=2,
        supply_won=6000,
        vat_won=600,
        total_won=6600,
        received_won=700,
        open_won=5900,
    )
    assert found[0] == MonthRevenue(Month(2026, 12))


def test_is_for_the_operator_alone(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        revenue.by_month(cast.alice.may, now=NOON)
