"""Officers who work at the same moment: whoever comes second meets what the first one has done."""

from __future__ import annotations

from functools import partial

import pytest

from billing import budgets
from billing.fiscal import bindings, closing, commitments, enforcement, orders, transfers
from billing.models import (
    Budget,
    Commitment,
    FiscalCommitment,
    FiscalMovement,
    FiscalTransfer,
    FiscalYear,
)
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import rls
from tests.billing import county as world
from tests.billing.at_once import together
from tests.billing.county import NOVEMBER, County, entry
from tests.billing.signing import decided, request_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def county(prices: None, counters: None) -> County:
    return world.make()


def test_papers_at_once_never_exceed_the_allotment(county: County) -> None:
    """Of eight contracts over ₩12 million three fit into ₩42 million; numbers have no gap, and the
    counters know what is left."""
    with rls.tenant(county.office.pk):
        bindings.bind(project=county.project, line=county.running, by=county.officer, now=NOVEMBER)
        budgets.publish(Budget.objects.get(), county.office, now=NOVEMBER)

    outcomes = together([lambda: county.record(12_000_000)] * 8)
    while county.columns().left >= 12_000_000:  # whoever had to look again does so
        county.record(12_000_000)
    enforcement.refresh(now=NOVEMBER)

    assert outcomes["done"] >= 1 and county.columns().committed == 36_000_000
    with rls.tenant(county.office.pk):
        numbers = FiscalCommitment.objects.order_by("number").values_list("number", flat=True)
        assert list(numbers) == [1, 2, 3]
        assert Budget.objects.get().limit_won == 6_000_000 * 10 // 11


def test_transfers_that_cross_keep_the_sum(county: County) -> None:
    """Six million each way at once, each signed twice: both happen, once. What the one leaves free
    in the other's first line makes that no other transfer."""
    asked = [
        ask(county, county.office_costs, county.running),
        ask(county, county.running, county.office_costs),
    ]

    deputy = world.deputy(county, county.head, now=NOVEMBER)
    for one in asked:  # the officer's step; the owner's is signed twice at once
        decided(one, transfers.DEED, deputy, now=NOVEMBER)
    sign = partial(decided, deed=transfers.DEED, by=county.head, step=2, now=NOVEMBER)
    outcomes = together([partial(sign, one) for one in asked * 2])

    assert outcomes == {"done": 2, "NotOpen": 2}
    assert {request_of(one).state for one in asked} == {"done"}
    found = [county.columns(line).current for line in (county.running, county.office_costs)]
    assert found == [48_000_000, 12_000_000]
    with rls.tenant(county.office.pk):
        assert FiscalMovement.objects.filter(kind="transfer_in").count() == 2


def ask(county: County, source: object, target: object) -> FiscalTransfer:
    with rls.tenant(county.office.pk):
        return transfers.ask(
            source=source,  # type: ignore[arg-type]
            target=target,  # type: ignore[arg-type]
            won=6_000_000,
            because="사용료가 부족합니다",
            by=county.officer,
            now=NOVEMBER,
        )


def test_an_order_of_the_last_second_is_in_the_year_or_refused_by_its_close(
    county: County,
) -> None:
    """It was placed on 31 December at 23:59:59 and arrives while the year is being closed."""
    with rls.tenant(county.office.pk):
        bindings.bind(
            project=county.project, line=county.running, by=county.officer, now=world.NEW_YEAR
        )

    outcomes = together([lambda: order(county), lambda: close(county)])

    with rls.tenant(county.office.pk):
        year = FiscalYear.objects.get()
        kept = (Commitment.objects.count(), FiscalCommitment.objects.count())
    found = county.columns(now=world.NEXT_YEAR)
    assert year.state == "closed" and outcomes["done"] + outcomes["LineRefuses"] == 2
    assert kept == ((1, 1) if outcomes["done"] == 2 else (0, 0))
    assert found.current == found.spent + found.carried + found.lapsed


def order(county: County) -> None:
    with rls.tenant(county.office.pk):
        row = budgets.record_commitment(
            organization=county.office,
            project=county.project,
            reference="ord_1",
            endpoint="ep_1",
            month=Month(2026, 12),
            amount_micro=1_000_000 * MICRO,
        )
        orders.commit(
            row,
            project=county.project,
            subject="민원-안내",
            seller="두레 (예시)",
            by=county.clerk,
            now=world.OLD_YEARS_DAY,
        )


def close(county: County) -> None:
    with rls.tenant(county.office.pk):
        closing.close_year(
            year=county.year,
            because="2026 회계연도 마감",
            by=county.officer,
            now=world.NEXT_YEAR,
        )


def test_payments_at_once_never_exceed_the_commitment(county: County) -> None:
    made = county.record(10_000_000)

    outcomes = together(
        [
            lambda: commitments.spend(
                commitment=made, entry=entry(6_000_000), by=county.officer, now=NOVEMBER
            )
        ]
        * 3
    )

    assert outcomes == {"done": 1, "Broken": 2}
    assert county.columns().spent == 6_000_000
