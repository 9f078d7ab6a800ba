"""From the invoice to the tax service: each arrow, each way to fail, and always one document."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import DatabaseError, connection, transaction

from billing.etax import amending, lifecycle, outcomes, preparing, queries, sweep
from billing.etax.amendments import Reason
from billing.etax.contract import Unavailable
from billing.models import EtaxAttempt, EtaxDocument, EtaxMove, EtaxState, Invoice
from portal.lib.periods import seoul_date
from tenants import actors, rls
from tenants.models import Notice
from tests import factories
from tests.billing.etax.conftest import AFTER, Desk, make_invoice
from tests.cast import Cast
from tests.fakes import etax as fakes
from tests.stack import ROOT


def correction(invoice: Invoice, supply: int, vat: int, **other: object) -> amending.Correction:
    words: dict[str, object] = {
        "public_id": "crn_0123456789abcdef",
        "number": "CN-2026-12-00001",
        "invoice": invoice,
        "reason": Reason.PRICE,
        "supply_won": supply,
        "vat_won": vat,
        "happened_on": seoul_date(AFTER),
        "text": "단가 인하",
    }
    return amending.Correction(**words | other)  # type: ignore[arg-type]


def amend(desk: Desk, made: amending.Correction) -> list[EtaxDocument]:
    return amending.amend(correction=made, by=desk.cast.olivia.may, now=desk.clock.now)


# ─── the story ─────────────────────────────────────────────────────────────────────────────────


def test_the_story_of_two_documents_with_one_number_each(desk: Desk) -> None:
    """Issued into a time-out after accepting, retried, accepted; a credit note amends it."""
    invoice = make_invoice(desk.cast.firm)
    desk.service.wrong, desk.service.times = "cut", 1

    assert desk.work() == sweep.Sweep(0, 1)  # nothing is known
    assert desk.states() == ["prepared"]
    assert len(desk.service.kept) == 1  # and yet it is there

    desk.work(minutes=2)
    assert desk.states() == ["issued"]
    for _ in range(8):
        desk.work(minutes=30)
    first = desk.one()
    assert (first.state, len(first.approval), len(desk.service.kept)) == ("accepted", 24, 1)

    amend(desk, correction(invoice, -100_000, -10_000))
    desk.work()
    for _ in range(8):
        desk.work(minutes=30)

    original, amended = desk.documents()
    assert (original.state, amended.state) == ("amended", "accepted")
    assert (amended.code, amended.type_code, amended.original) == ("02", "0201", original)
    assert amended.write_date.isoformat() == "2026-12-01"
    assert original.approval != amended.approval
    assert [one.key for one in desk.service.kept.values()] == [original.key, amended.key]
    sent = [one.body for one in desk.service.kept.values()]
    assert sent[1]["orgNTSConfirmNum"] == original.approval
    # what the tax service knows is the invoice less the credit note
    for name, won in (
        ("supplyCostTotal", invoice.supply_won - 100_000),
        ("taxTotal", invoice.vat_won - 10_000),
        ("totalAmount", invoice.total_won - 110_000),
    ):
        assert sum(int(body[name]) for body in sent) == won


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


# ─── two at once, killed ───────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_issue_one_document_each(desk: Desk) -> None:
    for n in range(1, 7):
        make_invoice(desk.cast.firm, number=f"2026-12-0000{n}")
    preparing.prepare_due(now=AFTER)
    start = threading.Barrier(3)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            start.wait(10)
            sweep.sweep(issuer=fakes.client(desk.service, seconds=5.0), now=AFTER)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert desk.states() == ["issued"] * 6
    issued = [place for deed, place in desk.service.calls if deed == "ISSUE"]
    assert len(issued) == 6 == len(desk.service.kept)


KILLED = """
import os, signal, sys
import django
django.setup()
from datetime import datetime
from billing.etax import sweep
from tests.fakes import etax as fakes
from billing.etax.popbill import Account, PopbillIssuer

when, url, moment = sys.argv[1:]
now = datetime.fromisoformat(moment)

class Dying(PopbillIssuer):
    def issue(self, document):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().issue(document)
        os.kill(os.getpid(), signal.SIGKILL)

account = Account(url, url, fakes.SERVICE, fakes.LINK_ID, fakes.SECRET, fakes.NUMBER)
sweep.sweep(issuer=Dying(account, clock=lambda: now), now=now)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_between_call_and_commit_leaves_one_document(desk: Desk, when: str) -> None:
    make_invoice(desk.cast.firm)
    preparing.prepare_due(now=AFTER)

    done = subprocess.run(
        [sys.executable, "-c", KILLED, when, desk.service.url, AFTER.isoformat()],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert desk.states() == ["prepared"]
    assert len(desk.service.kept) == (1 if when == "after" else 0)
    assert desk.work(seconds=30) == sweep.Sweep()  # its lease holds
    for _ in range(9):
        desk.work(minutes=30)
    assert desk.states() == ["accepted"]
    assert len(desk.service.kept) == 1


# ─── states ────────────────────────────────────────────────────────────────────────────────────

PAIRS = [(one, other) for one in EtaxState for other in EtaxState]


def test_goes_only_where_an_arrow_leads(desk: Desk, subtests: pytest.Subtests) -> None:
    make_invoice(desk.cast.firm)
    preparing.prepare_due(now=AFTER)
    how = {"because": "weil", "by": actors.system(desk.cast.firm, "test"), "now": AFTER}

    for before, after in PAIRS:
        with subtests.test(f"{before} → {after}"), rls.tenant(desk.cast.firm.pk):
            EtaxDocument.objects.update(state=before)
            row = EtaxDocument.objects.get()
            if (before, after) in lifecycle.ARROWS:
                assert lifecycle.move(row, after, **how)  # type: ignore[arg-type]
                row.state = before  # a second mover, who has loaded it before
                assert before == after or not lifecycle.move(row, after, **how)  # type: ignore[arg-type]
            else:
                with pytest.raises(lifecycle.NoSuchMove):
                    lifecycle.move(row, after, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["supply_won", "body", "key", "write_date"])
def test_the_database_refuses_to_change_what_may_be_out(desk: Desk, field: str) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    other = {
        "supply_won": {"supply_won": 1, "total_won": 123_457},
        "body": {"body": {}},
        "key": {"key": "other-1"},
        "write_date": {"write_date": "2026-10-31"},
    }[field]

    with (
        pytest.raises(DatabaseError, match="frozen"),
        transaction.atomic(),
        rls.everyone(because="test"),
    ):
        EtaxDocument.objects.update(**other)


def test_the_database_keeps_one_that_counts(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    row = desk.one()
    row.pk, row.public_id, row.key, row.serial, row.approval = None, "etx_2", "k-2", 2, ""

    with (
        pytest.raises(DatabaseError, match="etax_one_that_counts"),
        transaction.atomic(),
        rls.everyone(because="test"),
    ):
        row.save(force_insert=True)


@pytest.mark.parametrize("model", [EtaxMove, EtaxAttempt, EtaxDocument])
def test_nothing_is_ever_deleted(desk: Desk, model: type[EtaxMove]) -> None:
    make_invoice(desk.cast.firm)
    desk.work()

    with pytest.raises(DatabaseError), transaction.atomic(), rls.everyone(because="test"):
        model.objects.all()._raw_delete("default")


def test_never_calls_inside_a_transaction(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    make_invoice(desk.cast.firm)
    preparing.prepare_due(now=AFTER)
    depth: list[int] = []
    outer = len(connection.savepoint_ids)

    class Watching:
        def issue(self, document: object) -> object:
            depth.append(len(connection.savepoint_ids) - outer)
            raise Unavailable("gone")

    sweep.sweep(issuer=Watching(), now=AFTER)  # type: ignore[arg-type]

    assert depth == [0]


def test_looks_rarely_at_what_takes_long(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    row = desk.one()
    waits = [
        (outcomes.next_look(row, row.state_since + passed) - row.state_since - passed)
        for passed in (timedelta(0), timedelta(hours=1), timedelta(hours=2), timedelta(days=2))
    ]

    assert all(one <= other for one, other in pairwise(waits))
    assert (waits[0], waits[-1]) == (outcomes.FIRST_LOOK, outcomes.LAST_LOOK)


def test_another_organization_sees_none(desk: Desk, cast: Cast) -> None:
    make_invoice(desk.cast.firm)
    desk.work()

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not EtaxDocument.objects.exists()
        assert not EtaxMove.objects.exists()
        assert not EtaxAttempt.objects.exists()
