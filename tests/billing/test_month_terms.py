"""What was agreed of whole months comes with the month's invoice: fees, minimums, rebates."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from django.db.models import Sum

from billing import books, drilldown, invoices, journal
from billing.agreements import Line
from billing.closing import drafting, runs, steps
from billing.closing.calendar import review_until
from billing.models import Account, Invoice, InvoiceLine
from portal.lib.money import MICRO
from tenants import rls
from tenants.actors import Actor
from tests.billing.agreeing import agree, second_person
from tests.billing.months import COUNTING, NOVEMBER, REVIEWED, firms, run, use
from tests.cast import Cast
from tests.factories import CHAT, NOON, token_tariff

FEE = Line("fee", "전담 지원", {"won": 100_000})
BATCH = Line("batch", "*", {"off": "50"})
MINIMUM = Line("minimum", "", {"won": 300_000})
OCTOBER = NOON.replace(month=10, day=20)


@pytest.fixture
def second(cast: Cast) -> Actor:
    return second_person(cast)


def agreed(cast: Cast, second: Actor, *lines: Line) -> None:
    """From the first of November on."""
    agree(cast, second, *lines, starts_on=date(2026, 11, 1), now=OCTOBER)


def lines_of(cast: Cast) -> dict[str, int]:
    with rls.tenant(cast.firm.pk):
        return {one.unit: one.amount_won for one in InvoiceLine.objects.all()}


def test_bills_a_fee_of_a_month_without_any_use(
    cast: Cast, second: Actor, prices: None, everyone: None
) -> None:
    agreed(cast, second, FEE)

    run(REVIEWED)

    assert lines_of(cast) == {"fee": 100_000}
    assert Invoice.objects.get(organization=cast.firm).supply_won == 100_000


def test_bills_what_is_missing_to_the_minimum(
    cast: Cast, second: Actor, prices: None, everyone: None
) -> None:
    agreed(cast, second, MINIMUM)
    use(cast.project)

    run(REVIEWED)

    found = lines_of(cast)
    assert found["tokens"] + found["minimum"] == 300_000


def test_the_books_agree_with_fees_beside_use(
    cast: Cast, second: Actor, prices: None, everyone: None
) -> None:
    agreed(cast, second, FEE)
    use(cast.project)

    run(REVIEWED)

    with rls.tenant(cast.firm.pk):
        found = journal.balances(cast.firm)
        used = InvoiceLine.objects.get(unit="tokens").exact_micro
    assert found.get(Account.ACCRUED, 0) == 0
    assert Fraction(-found[Account.REVENUE]) == Fraction(used) / MICRO + 100_000
    assert list(books.verify(now=REVIEWED, organization=cast.firm)) == []


def test_drafts_those_with_terms_one_by_one_and_the_others_by_sets(
    cast: Cast,
    second: Actor,
    prices: None,
    everyone: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drafting, "FEW", 0)
    agreed(cast, second, FEE)
    others = firms(3)

    run(REVIEWED)

    assert lines_of(cast) == {"fee": 100_000}
    assert Invoice.objects.filter(organization__in=others).count() == 3


def test_takes_the_discount_off_what_batch_requests_were_charged(
    cast: Cast, second: Actor, prices: None, everyone: None
) -> None:
    agreed(cast, second, BATCH)
    use(cast.project, 3_000_000)
    use(cast.project, 2_000_000, batch=True, settled_micro=1, written_off_micro=20_000_000)

    run(REVIEWED)

    invoice = Invoice.objects.get(organization=cast.firm)
    rows = {one.item.split("|", 1)[1]: one for one in invoice.lines.all()}
    price = token_tariff().public_id
    at_once, batch = rows[f"token_in|{CHAT}|{price}|"], rows[f"token_in|{CHAT}|{price}|batch"]
    assert (at_once.amount_won, batch.amount_won) == (180, 120)
    assert batch.text_ko == f"{CHAT} 입력 토큰 (배치)"
    (discount,) = (one for one in rows.values() if one.unit == "batch")
    assert discount.amount_won == -50  # of 120 won less the 20 that were written off
    assert [(part.quantity, part.requests) for part in parts(cast, batch)] == [(2_000_000, 1)]
    assert list(books.verify(now=REVIEWED, organization=cast.firm)) == []


def parts(cast: Cast, line: InvoiceLine) -> list[drilldown.Part]:
    (day,) = drilldown.days(line)
    assert day.quantity == line.quantity
    return drilldown.parts(cast.alice.may, line, day.day)


# ─── what a month's terms have become since ────────────────────────────────────────────────────

DECEMBER_END = review_until(NOVEMBER.next, 3)
STEPS = [{"start": 0, "end": 100, "off": "0"}, {"start": 100, "end": None, "off": "10"}]
TIERS = Line("tiers", f"tokens/{CHAT}", {"mode": "graduated", "steps": STEPS})


def run_december() -> None:
    steps.advance(runs.begin(NOVEMBER.next, now=DECEMBER_END), COUNTING, now=DECEMBER_END)


def terms_by_month(cast: Cast) -> dict[tuple[str, str], int]:
    with rls.tenant(cast.firm.pk):
        rows = InvoiceLine.objects.filter(unit__in=["tiers", "minimum", "fee"])
        found = rows.values_list("usage_month", "unit").annotate(Sum("amount_won")).order_by()
        return {(month, unit): won for month, unit, won in found}


def test_a_rebate_that_found_no_invoice_is_taken_off_the_next(
    cast: Cast, second: Actor, prices: None, everyone: None
) -> None:
    agreed(cast, second, TIERS)
    use(cast.project, 200 * MICRO)
    last_minute = NOVEMBER.period.end - timedelta(minutes=1)
    invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=last_minute)
    run(REVIEWED)
    assert terms_by_month(cast) == {}
    use(cast.project, 300 * MICRO, at=NOON + timedelta(days=30))

    run_december()

    assert terms_by_month(cast) == {("2026-11", "tiers"): -600, ("2026-12", "tiers"): -1200}


def test_use_that_comes_late_corrects_the_months_terms(
    cast: Cast, second: Actor, prices: None, everyone: None
) -> None:
    """Once: what was missing to the minimum was billed already, and is not owed any more."""
    agreed(cast, second, MINIMUM, TIERS)
    use(cast.project, 50 * MICRO)
    run(REVIEWED)
    assert terms_by_month(cast) == {("2026-11", "minimum"): 300_000 - 3_000}
    use(cast.project, 6_000 * MICRO, late=True)

    run_december()

    found = terms_by_month(cast)
    assert found[("2026-11", "minimum")] == 0
    assert found[("2026-11", "tiers")] == -(6_050 - 100) * 60 // 10
    assert found[("2026-12", "minimum")] == 300_000
    assert list(books.verify(now=DECEMBER_END, organization=cast.firm)) == []
