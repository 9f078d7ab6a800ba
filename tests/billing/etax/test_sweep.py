"""From the invoice to the tax service: each arrow, each way to fail, and always one document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import books, invoices, journal, receivables
from billing.etax import credited, outcomes, preparing, queries, sweep
from billing.models import Account, EtaxDocument, EtaxMove, EtaxTrouble, Invoice
from tenants import actors, rls
from tenants.models import Notice
from tests import factories
from tests.billing.etax.conftest import AFTER, NOVEMBER, Desk, make_invoice
from tests.billing.etax.test_credited import credit
from tests.fakes import etax as fakes

# ─── the story ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def november(desk: Desk, prices: None, settings: Any) -> Invoice:
    """What the firm used in November, billed at the month's end: ₩1,200,000 and VAT."""
    settings.DURE_SELLER_NUMBER = fakes.NUMBER
    settings.DURE_SELLER_NAME, settings.DURE_SELLER_REPRESENTATIVE = "두레 운영", "대표자"
    factories.ledger_entry(desk.cast.project, tokens_in=20_000_000_000, tokens_out=0)
    made = invoices.issue(
        organization=desk.cast.firm,
        kind="month",
        month=NOVEMBER,
        until=NOVEMBER.period.end,
        by=actors.system(desk.cast.firm, "Month end"),
        now=AFTER,
    )
    assert made is not None and made.supply_won == 1_200_000
    return made


def test_the_story_of_two_documents_with_one_number_each(desk: Desk, november: Invoice) -> None:
    """Issued into a time-out after accepting, retried, accepted; a credit note amends it."""
    desk.client = fakes.client(desk.service, seconds=1.5)
    desk.client.certificate()  # signed in: the next call is about the document
    desk.service.wrong, desk.service.times, desk.service.seconds = "silent", 1, 30.0

    assert desk.work() == sweep.Sweep(0, 1)  # the call has timed out: nothing is known
    assert desk.states() == ["prepared"]
    assert len(desk.service.kept) == 1  # and yet it is there

    desk.client = fakes.client(desk.service)
    desk.work(minutes=2)  # asked for, and found
    assert desk.states() == ["issued"]
    assert [deed for deed, _place in desk.service.calls].count("ISSUE") == 1
    for _ in range(8):
        desk.work(minutes=30)
    first = desk.one()
    assert (first.state, len(first.approval), len(desk.service.kept)) == ("accepted", 24, 1)

    note = credit(desk.cast, november, 100_000, desk)
    for _ in range(9):
        credited.amend_due(now=desk.clock.now)
        desk.work(minutes=30)

    original, amended = desk.documents()
    assert (original.state, amended.state) == ("amended", "accepted")
    assert (amended.code, amended.type_code, amended.original) == ("02", "0201", original)
    assert amended.write_date == note.issue_date
    # two documents, one number each, ours and the tax service's
    kept = list(desk.service.kept.values())
    assert [one.key for one in kept] == [original.key, amended.key]
    assert [one.approval for one in kept] == [original.approval, amended.approval]
    assert original.approval != amended.approval
    assert kept[1].body["orgNTSConfirmNum"] == original.approval
    # what the tax service knows is what the customer owes and what stands in the books
    told = {
        name: sum(int(one.body[name]) for one in kept)
        for name in ("supplyCostTotal", "taxTotal", "totalAmount")
    }
    assert list(told.values()) == [1_100_000, 110_000, 1_210_000]
    with rls.everyone(because="test"):
        found = journal.balances(desk.cast.firm)
        assert receivables.open_won(november) == 1_210_000
    assert found[Account.RECEIVABLE] == 1_210_000
    assert (found[Account.VAT], found[Account.ACCRUED]) == (-110_000, 0)
    assert sum(found.values()) == 0
    assert list(books.verify(now=desk.clock.now)) == []


def test_each_move_says_because(desk: Desk) -> None:
    make_invoice(desk.cast.firm)

    for _ in range(9):
        desk.work(minutes=30)

    with rls.everyone(because="test"):
        found = [(one.to_state, one.because, one.by) for one in EtaxMove.objects.order_by("pk")]
    assert found == [
        ("prepared", preparing.PREPARED, "system:E-tax"),
        ("issued", "The issuer has signed it; the buyer has it.", "system:E-tax"),
        ("sent", "The issuer has sent it to the tax service.", "system:E-tax"),
        ("accepted", "The tax service has accepted it.", "system:E-tax"),
    ]


# ─── preparing ─────────────────────────────────────────────────────────────────────────────────


def test_one_document_of_each_invoice_however_often_it_is_prepared(desk: Desk) -> None:
    invoice = make_invoice(desk.cast.firm)

    counts = [preparing.prepare_due(now=AFTER) for _ in range(3)]

    assert counts == [1, 0, 0]
    assert preparing.prepare(invoice, now=AFTER) is None
    found = desk.one()
    assert (found.key, found.due_date.isoformat()) == ("2026-12-00001-1", "2026-12-10")
    assert (found.write_date.isoformat(), found.type_code) == ("2026-11-30", "0101")
    assert (found.supply_won, found.vat_won, found.total_won) == (1_234_567, 123_456, 1_358_023)


def test_an_interim_invoice_has_its_own_last_day(desk: Desk) -> None:
    make_invoice(desk.cast.firm, period_end=AFTER - timedelta(days=14))

    preparing.prepare_due(now=AFTER)

    assert desk.one().write_date.isoformat() == "2026-11-17"


@pytest.mark.parametrize(("since", "count"), [("", 0), ("2026-12-02", 0), ("2026-12-01", 1)])
def test_tells_nothing_of_what_came_before_the_first_day(
    desk: Desk, settings: object, since: str, count: int
) -> None:
    settings.DURE_ETAX_FROM = since  # type: ignore[attr-defined]
    make_invoice(desk.cast.firm)

    assert preparing.prepare_due(now=AFTER) == count


def test_folds_an_invoice_of_300_lines(desk: Desk) -> None:
    make_invoice(desk.cast.firm, [1_001] * 300)

    desk.work()

    (kept,) = desk.service.kept.values()
    assert len(kept.body["detailList"]) == 99
    assert kept.body["detailList"][-1]["itemName"] == "외 202건"
    assert kept.body["supplyCostTotal"] == "300300"


@pytest.mark.parametrize(
    "amounts", [[10_005], [999_999_999_999, 100_000_001], [5], [5_000, -1_234]]
)
def test_issues_odd_and_large_amounts(desk: Desk, amounts: list[int]) -> None:
    invoice = make_invoice(desk.cast.firm, amounts)

    desk.work()

    (kept,) = desk.service.kept.values()
    assert int(kept.body["taxTotal"]) == invoice.vat_won
    assert desk.states() == ["issued"]


def test_waits_for_a_buyer_that_has_no_number(desk: Desk) -> None:
    firm = factories.organization("번호 없는 단체", number=None)
    make_invoice(firm)

    desk.work()

    found = desk.one()
    assert (found.state, found.faults) == ("blocked", ["buyer_number", "representative"])
    assert found.next_at is None and desk.service.calls == []


def test_is_issued_once_the_details_are_complete(desk: Desk) -> None:
    other = desk.cast.mallory.may
    make_invoice(other.organization)
    desk.work()
    assert desk.one().faults == ["representative"]

    with rls.tenant(other.organization.pk):
        preparing.profiles.change(
            organization=other.organization,
            details=preparing.profiles.Details(representative="남궁훈"),
            by=other,
            now=desk.clock.tick(hours=1),
        )
    desk.work(minutes=1)

    assert desk.states() == ["issued"]
    assert desk.moves(desk.one()) == [
        ("", "blocked"),
        ("blocked", "prepared"),
        ("prepared", "issued"),
    ]


@pytest.mark.parametrize(("tax", "vat", "word"), [("exempt", 0, "면세"), ("zero_rated", 0, "영세")])
def test_issues_the_kind_without_vat(desk: Desk, tax: str, vat: int, word: str) -> None:
    with rls.tenant(desk.cast.firm.pk):
        preparing.profiles.tax_as(
            organization=desk.cast.firm,
            tax=tax,  # type: ignore[arg-type]
            because="면세 사업자 확인",
            by=desk.cast.olivia.may,
            now=AFTER,
        )
    make_invoice(desk.cast.firm, [50_000], vat_won=vat, total_won=50_000)
    desk.work()

    (kept,) = desk.service.kept.values()
    assert (kept.body["taxType"], kept.body["taxTotal"]) == (word, "0")


def test_one_organizations_error_stops_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_invoice(desk.cast.firm, number="2026-12-00001", seller={})
    make_invoice(desk.cast.firm, number="2026-12-00002")

    desk.work()

    assert [one.key for one in desk.documents()] == ["2026-12-00002-1"]


def test_those_that_fail_for_ever_stand_before_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "MOST", 2)
    for number in (1, 2):
        make_invoice(desk.cast.firm, number=f"2026-12-0000{number}", seller={})
    make_invoice(desk.cast.firm, number="2026-12-00003")
    desk.work()
    assert desk.documents() == []

    desk.work()

    assert [one.key for one in desk.documents()] == ["2026-12-00003-1"]
    with rls.tenant(desk.cast.firm.pk):
        trouble = EtaxTrouble.objects.first()
    assert trouble is not None and trouble.error.startswith("KeyError")


# ─── when the issuer fails ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", ["down", "hang", "garbage", "cut", "before", "limit"])
def test_there_is_one_document_whatever_goes_wrong(desk: Desk, fault: str) -> None:
    make_invoice(desk.cast.firm)
    desk.service.wrong, desk.service.times = fault, 3

    for _ in range(20):
        desk.work(minutes=30)

    assert desk.states() == ["accepted"]
    assert len(desk.service.kept) == 1


def test_asks_first_where_a_call_may_have_gone_through(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.service.wrong, desk.service.times = "cut", 1
    desk.work()
    desk.service.calls.clear()

    desk.work(minutes=2)

    assert desk.service.calls == [("GET", "/Taxinvoice/SELL/2026-12-00001-1")]


def test_a_document_that_the_issuer_shows_late_is_not_issued_again(desk: Desk) -> None:
    """It accepted, went away, and does not know of it for ten minutes."""
    make_invoice(desk.cast.firm)
    desk.service.wrong, desk.service.times, desk.service.seconds = "late", 1, 600.0
    desk.work()

    for _ in range(4):  # asked: unknown; issued: the number is taken, and nobody knows by whom
        desk.work(minutes=2)
    assert desk.states() in (["prepared"], ["blocked"], ["issued"])
    for _ in range(12):
        desk.work(minutes=30)

    assert len(desk.service.kept) == 1
    assert desk.states() == ["accepted"]


def test_pauses_grow_while_it_is_away(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.service.wrong = "down"
    waits = []

    for _ in range(8):
        desk.work()
        row = desk.one()
        assert row.next_at is not None
        waits.append((row.next_at - desk.clock.now).total_seconds() / 60)
        desk.clock.now = row.next_at

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128]
    assert outcomes.pause_after(30_000) == outcomes.LONGEST_PAUSE
    assert desk.one().failures == 8


def test_an_issuer_that_is_away_ends_the_sweep_and_loses_nothing(desk: Desk) -> None:
    for n in range(1, 4):
        make_invoice(desk.cast.firm, number=f"2026-12-0000{n}")
    desk.service.wrong, desk.service.times = "down", 1

    assert desk.work() == sweep.Sweep(0, 1)
    assert desk.work(minutes=2) == sweep.Sweep(3, 0)

    assert desk.states() == ["issued"] * 3


def test_a_refusal_waits_for_a_person_and_says_why(desk: Desk) -> None:
    firm = factories.organization("거절상사", number="1200099137")
    factories.member(factories.user("r@example.com"), firm)
    make_invoice(firm)
    _complete(firm)

    desk.work()

    found = desk.one()
    assert (found.state, found.refusal_code, found.next_at) == ("blocked", "-11001021", None)
    assert "유효하지" in found.refusal
    assert "-11001021" in queries.faults_of(found)[0]
    with rls.everyone(because="test"):
        assert Notice.objects.filter(kind="etax.blocked", user=desk.cast.olivia.user).count() == 1


def _complete(firm: object) -> None:
    with rls.tenant(firm.pk):  # type: ignore[attr-defined]
        preparing.profiles.EtaxProfile.objects.create(
            organization=firm, representative="대표", changed_at=AFTER
        )


def test_a_rejection_of_the_tax_service_is_told_and_kept(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.service.reject = "ERR002"

    for _ in range(9):
        desk.work(minutes=30)

    found = desk.one()
    assert (found.state, found.refusal_code, found.next_at) == ("rejected", "ERR002", None)
    with rls.everyone(because="test"):
        assert Notice.objects.filter(kind="etax.rejected").count() == 1


def test_a_strange_document_under_our_number_is_not_taken_for_ours(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    (kept,) = desk.service.kept.values()
    kept.body["supplyCostTotal"] = "1"
    with rls.everyone(because="test"):
        EtaxDocument.objects.update(state="prepared", next_at=desk.clock.now)

    desk.work()

    found = desk.one()
    assert (found.state, found.refusal_code) == ("blocked", "key")


def test_sends_by_itself_where_the_issuer_lets_the_day_come(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.service.sends_after = 10 * 86400.0
    try:
        desk.work()
        desk.work(hours=2)
        assert desk.states() == ["issued"]
        desk.work(hours=24)
        assert desk.states() == ["sent"]
    finally:
        desk.service.sends_after = 3600.0


def test_what_was_withdrawn_at_the_issuer_does_not_count(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    desk.service.withdraw(desk.one().key)

    desk.work(minutes=5)

    assert desk.states() == ["rejected"]
