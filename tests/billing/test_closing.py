"""The end of a month over real rows: counted, drafted, looked at, issued once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from billing import invoices
from billing.closing import drafting, runs, standing, steps
from billing.closing.calendar import review_until
from billing.models import (
    CloseState,
    DraftState,
    Invoice,
    InvoiceDraft,
    InvoiceDraftLine,
    InvoiceLine,
    MonthClose,
    MonthCloseMove,
    Posting,
)
from tenants import actors
from tenants.models import AuditEvent, Organization
from tests import factories
from tests.billing.months import (
    AFTER,
    COUNTING,
    NOVEMBER,
    REVIEWED,
    firms,
    run,
    use,
)
from tests.cast import Cast
from tests.factories import NOON

# ─── when ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (3, datetime(2026, 12, 3, 15, tzinfo=UTC)),  # midnight in Korea, when the 3rd is over
        (0, datetime(2026, 11, 30, 15, tzinfo=UTC)),
    ],
)
def test_lets_customers_look_until_the_end_of_a_day(day: int, end: datetime) -> None:
    assert review_until(NOVEMBER, day) == end


def test_begins_no_month_that_is_not_over(db: None) -> None:
    with pytest.raises(runs.MonthNotOver):
        runs.begin(NOVEMBER, now=NOVEMBER.period.end - timedelta(microseconds=1))


def test_waits_for_the_review_and_then_issues(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)

    waiting = run(AFTER)

    assert waiting.state == CloseState.REVIEW
    assert not Invoice.objects.exists()
    assert run(REVIEWED - timedelta(seconds=1)).state == CloseState.REVIEW
    assert run(REVIEWED).state == CloseState.DONE
    assert Invoice.objects.get().kind == "month"


def test_keeps_every_move_with_its_reason(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)
    run(AFTER)
    run(REVIEWED)

    moves = [(one.from_state, one.to_state) for one in MonthCloseMove.objects.all()]
    assert moves == [
        ("", "rating"),
        ("rating", "drafting"),
        ("drafting", "review"),
        ("review", "finalising"),
        ("finalising", "done"),
    ]
    assert all(one.because for one in MonthCloseMove.objects.all())


@pytest.mark.parametrize("here", CloseState.values)
def test_knows_no_other_arrows(here: str, db: None) -> None:
    close = runs.begin(NOVEMBER, now=AFTER)
    MonthClose.objects.filter(pk=close.pk).update(state=here)
    close.refresh_from_db()

    for there in set(CloseState) - runs.ARROWS[CloseState(here)]:
        with pytest.raises(runs.NotNow):
            runs.move(close, there, because="x", now=AFTER)


def test_the_second_mover_moves_nothing(db: None) -> None:
    first, second = runs.begin(NOVEMBER, now=AFTER), runs.begin(NOVEMBER, now=AFTER)

    assert runs.move(first, CloseState.DRAFTING, because="x", now=AFTER)
    assert not runs.move(second, CloseState.DRAFTING, because="x", now=AFTER)
    assert second.state == CloseState.DRAFTING


def test_repeating_it_adds_nothing(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)
    run(REVIEWED)
    before = (Invoice.objects.count(), Posting.objects.count(), AuditEvent.objects.count())

    run(REVIEWED + timedelta(days=1))

    assert before == (Invoice.objects.count(), Posting.objects.count(), AuditEvent.objects.count())


# ─── what is drafted ───────────────────────────────────────────────────────────────────────────


def test_counts_those_with_nothing_to_bill(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)

    found = standing.of(run(REVIEWED))

    assert found.organizations == 2  # the operator is no customer
    assert (found.counts["issued"], found.counts["nothing"]) == (1, 1)
    assert InvoiceDraft.objects.get(state="nothing").total_won == 0


def test_leaves_out_who_came_later(cast: Cast, prices: None, everyone: None) -> None:
    Organization.objects.filter(pk=cast.firm.pk).update(created_at=NOVEMBER.period.end)

    run(REVIEWED)

    assert not InvoiceDraft.objects.filter(organization=cast.firm).exists()


def test_counts_invoices_of_before_as_done(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)
    invoices.issue(
        organization=cast.firm,
        kind="month",
        month=NOVEMBER,
        until=NOVEMBER.period.end,
        by=actors.system(cast.firm, "Month end"),
        now=AFTER,
    )

    run(REVIEWED)

    assert Invoice.objects.count() == 1
    assert InvoiceDraft.objects.get(organization=cast.firm).state == DraftState.ISSUED


def test_writes_by_sets_what_one_by_one_writes(
    cast: Cast, prices: None, everyone: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Drafts, invoices, lines and postings; by the database as by ``billing.invoices``."""
    use(cast.project, 1_234_567, tokens_cached=200_000, tokens_out=77_777)
    use(cast.project, 900_000, settled_micro=1, written_off_micro=20_400_000)
    endpoint = factories.endpoint(cast.project)
    factories.card_time(endpoint, start=NOON, end=NOON + timedelta(seconds=3601), cards=2)
    use(factories.project(cast.mallory.may.organization, "조금"), 1000)  # ₩0.06: nothing to bill
    settings.DURE_VAT_ROUNDING, settings.DURE_VAT_BASIS = "half_up", "line"
    close = runs.begin(NOVEMBER, now=AFTER)
    steps.advance(close, COUNTING, now=AFTER)
    one_by_one = list(InvoiceDraftLine.objects.values(*LINE)), _totals(cast)

    monkeypatch.setattr(drafting, "FEW", 0)
    InvoiceDraft.objects.update(state=DraftState.STALE, supply_won=0, vat_won=0, total_won=0)
    assert drafting.many(close, now=AFTER) == 2

    assert (list(InvoiceDraftLine.objects.values(*LINE)), _totals(cast)) == one_by_one
    assert InvoiceDraft.objects.filter(state=DraftState.NOTHING).count() == 1


LINE = [
    "position",
    "item",
    "usage_month",
    "text_ko",
    "text_en",
    "unit",
    "quantity",
    "unit_price",
    "price_version",
    "exact_micro",
    "amount_won",
]


def _totals(cast: Cast) -> dict[str, Any]:
    return (
        InvoiceDraft.objects.filter(organization=cast.firm)
        .values("state", "supply_won", "vat_won", "total_won", "vat_rule", "period_start")
        .get()
    )


def test_issues_by_sets_what_one_invoice_says(cast: Cast, prices: None, everyone: None) -> None:
    """The same invoice issued by itself, rolled back, and then by the run."""
    use(cast.project, 1_234_567, tokens_cached=200_000, tokens_out=77_777)
    use(cast.project, 900_000, settled_micro=1, written_off_micro=20_400_000)
    with transaction.atomic():
        alone = invoices.issue(
            organization=cast.firm,
            kind="month",
            month=NOVEMBER,
            until=NOVEMBER.period.end,
            by=actors.system(cast.firm, "Month end"),
            now=REVIEWED,
        )
        assert alone is not None
        expected = _document(alone)
        transaction.set_rollback(True)
    transaction.set_rollback(False)

    run(REVIEWED)

    assert _document(Invoice.objects.get()) == expected


def _document(invoice: Invoice) -> list[Any]:
    """Everything but ids."""
    fields = [
        "number",
        "kind",
        "month",
        "period_start",
        "period_end",
        "issued_at",
        "issue_date",
        "due_date",
        "seller",
        "buyer",
        "supply_won",
        "vat_won",
        "untaxed_won",
        "total_won",
        "vat_rule",
    ]
    events = AuditEvent.objects.filter(subject=invoice.public_id)
    return [
        {name: getattr(invoice, name) for name in fields},
        list(invoice.lines.values(*LINE)),
        list(
            Posting.objects.filter(reference=invoice.public_id).values(
                "day", "kind", "position", "debit", "credit", "amount_micro", "posted_at"
            )
        ),
        list(events.values("at", "actor_kind", "actor", "on_behalf", "verb", "group", "changes")),
    ]


def test_freezes_texts_at_issue(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)
    run(AFTER)
    Organization.objects.filter(pk=cast.firm.pk).update(name="새 이름")

    run(REVIEWED)
    Organization.objects.filter(pk=cast.firm.pk).update(name="더 새 이름")

    assert Invoice.objects.get().buyer["name"] == "새 이름"


def test_a_line_above_a_hundred_million_won_fits(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project, 2_500_000_000_000)  # 150 million won

    run(REVIEWED)

    assert Invoice.objects.get().total_won == 165_000_000


# ─── late use and interim invoices ─────────────────────────────────────────────────────────────


def test_bills_use_that_came_late_next_month(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)
    run(REVIEWED)
    use(cast.project, 2_000_000, late=True)
    december = NOVEMBER.next
    end = review_until(december, 3)

    steps.advance(runs.begin(december, now=end), COUNTING, now=end)

    later = Invoice.objects.get(month="2026-12")
    assert [(one.usage_month, one.quantity) for one in later.lines.all()] == [
        ("2026-11", 2_000_000)
    ]


def test_an_interim_invoice_takes_its_part_out_of_the_draft(
    cast: Cast, prices: None, everyone: None
) -> None:
    use(cast.project)
    run(AFTER)
    interim = invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=AFTER)
    assert interim is not None
    assert InvoiceDraft.objects.get(organization=cast.firm).state == DraftState.STALE

    run(REVIEWED)

    assert list(Invoice.objects.all()) == [interim]
    assert InvoiceDraft.objects.get(organization=cast.firm).state == DraftState.NOTHING


def test_never_issues_a_draft_that_an_invoice_has_overtaken(
    cast: Cast, prices: None, everyone: None
) -> None:
    """Also where nobody has marked the draft: the invoice that it knows is not the newest."""
    use(cast.project)
    run(AFTER)
    invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=AFTER)
    InvoiceDraft.objects.filter(organization=cast.firm).update(state=DraftState.DRAFTED)

    run(REVIEWED)

    assert Invoice.objects.get().kind == "interim"
    assert sum(InvoiceLine.objects.values_list("quantity", flat=True)) == 1_000_000


# ─── options ───────────────────────────────────────────────────────────────────────────────────


def test_cuts_public_bodies_totals_to_ten_won(
    cast: Cast, prices: None, everyone: None, settings: Any
) -> None:
    settings.DURE_TEN_WON_CUT = True
    firms(1, kind="public")
    use(cast.project, 1_017_000)

    run(REVIEWED)

    public = Invoice.objects.get(vat_rule="truncate/ten")
    assert public.total_won % 10 == 0
    assert public.lines.last().amount_won == public.supply_won - 60  # type: ignore[union-attr]
    assert Invoice.objects.get(vat_rule="truncate").total_won == 67


def test_bills_late_interest_without_tax(
    cast: Cast, prices: None, everyone: None, settings: Any
) -> None:
    settings.DURE_LATE_INTEREST_PERCENT = Decimal(6)
    use(cast.project, 6_000_000_000_000, at=datetime(2026, 9, 10, tzinfo=UTC))
    invoices.issue_interim(
        organization=cast.firm, by=cast.alice.may, now=datetime(2026, 9, 11, tzinfo=UTC)
    )  # due on 11 October
    use(cast.project)

    run(REVIEWED)

    invoice = Invoice.objects.get(month="2026-11")
    # 396,000,000 won × 30 days of November / 365 × 6 %
    assert (invoice.supply_won, invoice.vat_won, invoice.untaxed_won) == (60, 6, 1_952_877)
    assert invoice.total_won == 1_952_943
    rows = Posting.objects.filter(reference=invoice.public_id)
    assert ("receivable", "interest", 1_952_877_000_000) in rows.values_list(
        "debit", "credit", "amount_micro"
    )
