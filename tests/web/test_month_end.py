"""The month end on the pages: what customers and the operator's people see and do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import credit_notes
from billing.models import CreditNote, DraftComment, Invoice, InvoiceDraft, MonthClose
from portal.routing import deciding
from tenants import rls
from tenants.actions import payment_holds
from tenants.models import Proposal
from tests import factories
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows import month_end as rows

TEXT = "쓰지 않은 모델이 들어 있습니다."


@pytest.fixture(autouse=True)
def _broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs here; a nudge is lost."""
    monkeypatch.setattr("portal.web.month_end.wake", lambda *_, **__: None)


def get(world: World, who: str, path: str) -> str:
    answer = browser(world.cast[who]).get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def post(world: World, who: str, path: str, body: dict[str, Any]) -> None:
    answer = browser(world.cast[who]).post(path, body)
    assert answer.status_code == 302, (path, answer.status_code)


def test_a_customer_objects_and_the_operator_answers(world: World) -> None:
    draft = rows.draft(world)
    page = f"/invoices/drafts/{draft.public_id}/"
    assert page in get(world, "alice", "/invoices/")
    assert "₩300" in get(world, "carol", page)

    post(world, "carol", f"{page}say/", {"kind": "objection", "text": TEXT})

    assert TEXT in get(world, "alice", page)
    cockpit = get(world, "olivia", "/operator/month-end/2026-10/")
    assert TEXT in cockpit
    with rls.everyone(because="test"):
        objection = DraftComment.objects.get()
    theirs = f"/operator/month-end/drafts/{draft.public_id}/"
    assert TEXT in get(world, "olivia", theirs)
    post(
        world,
        "olivia",
        f"/operator/month-end/objections/{objection.public_id}/answer/",
        {"text": "맞게 계산했습니다.", "again": "1"},
    )
    assert "맞게 계산했습니다." in get(world, "alice", page)
    with rls.everyone(because="test"):
        found = InvoiceDraft.objects.get(pk=draft.pk)
    assert (found.held, found.state) == (False, "stale")


def test_the_operator_sees_how_far_it_is_and_ends_the_review(world: World) -> None:
    assert "2026-10" in get(world, "olivia", "/operator/month-end/")
    rows.draft(world)
    page = "/operator/month-end/2026-10/"
    assert "₩300" in get(world, "olivia", page)

    post(world, "olivia", f"{page}decide/", {"deed": "finalise"})

    assert MonthClose.objects.get().state == "finalising"
    assert browser(world.cast.olivia).post(f"{page}decide/", {"deed": "x"}).status_code == 404
    for month in ("2026-09", "2026-13", "x"):
        answer = browser(world.cast.olivia).get(f"/operator/month-end/{month}/")
        assert answer.status_code == 404


def test_begins_no_month_that_is_not_over(world: World) -> None:
    post(world, "olivia", "/operator/month-end/begin/", {"month": "2026-11"})

    assert not MonthClose.objects.exists()


@pytest.mark.parametrize("amount", ["1.5", "1e3", "１０", "-1", "99999999", "0", "abc", "₩5"])
def test_refuses_amounts_that_make_no_sense(world: World, amount: str) -> None:
    path = f"/operator/invoices/{world.invoice.public_id}/"

    answer = browser(world.cast.olivia).post(
        path, {"line-1": amount, "because": TEXT, "reason": "price"}
    )

    assert answer.status_code == 422
    assert TEXT in answer.content.decode()


def test_a_credit_note_on_the_pages(world: World) -> None:
    path = f"/operator/invoices/{world.invoice.public_id}/"
    assert world.invoice.number in get(world, "olivia", "/operator/invoices/?text=2026-11")
    post(world, "olivia", path, {"everything": "1", "because": TEXT, "reason": "cancellation"})
    assert TEXT in get(world, "olivia", "/operator/proposals/")
    with rls.everyone(because="test"):
        staff = world.cast.olivia.may.organization
        paul = factories.member(factories.user("paul@example.com", "박운영"), staff)
        deciding.approve(proposal=Proposal.objects.get(), by=paul, now=NOON)
        note = CreditNote.objects.get()
        assert credit_notes.whole(world.invoice) == {}

    theirs = get(world, "alice", f"/invoices/credit-notes/{note.public_id}/")

    assert note.number in theirs
    assert TEXT in theirs
    assert note.number in get(world, "alice", "/invoices/")
    assert note.number in get(world, "alice", f"/invoices/{world.invoice.public_id}/")
    pdf = browser(world.cast.alice).get(f"/invoices/credit-notes/{note.public_id}/pdf/?language=en")
    assert pdf.content.startswith(b"%PDF")
    stranger = browser(world.cast.mallory)
    assert stranger.get(f"/invoices/credit-notes/{note.public_id}/").status_code == 404


def test_an_invoice_says_beforehand_what_follows(world: World) -> None:
    shown = get(world, "alice", f"/invoices/{world.invoice.public_id}/")

    for offset in (-3, 1, 7, 14, 30):
        day = world.invoice.due_date + timedelta(days=offset)
        assert day.isoformat() in shown


def test_every_page_says_that_spending_has_stopped(world: World) -> None:
    with rls.everyone(because="test"):
        payment_holds.place(
            organization=world.cast.firm,
            document=world.invoice.public_id,
            number=world.invoice.number,
            place="/home/",
            now=NOON,
        )

    assert f"청구서 {world.invoice.number}의 납부 기한" in get(world, "alice", "/home/")


def test_a_right_invoice_in_the_place_of_a_wrong_one_on_the_pages(world: World) -> None:
    path = f"/operator/invoices/{world.invoice.public_id}/renew/"
    assert path in get(world, "olivia", f"/operator/invoices/{world.invoice.public_id}/")
    assert 'name="line-1"' in get(world, "olivia", path)
    body = {"line-1": "7", "because": TEXT, "reason": "particulars"}
    post(world, "olivia", path, body)
    shown = get(world, "olivia", "/operator/proposals/")
    assert "기재사항 착오·정정 (코드 01)" in shown
    with rls.everyone(because="test"):
        staff = world.cast.olivia.may.organization
        paul = factories.member(factories.user("paul@example.com", "박운영"), staff)
        deciding.approve(proposal=Proposal.objects.get(), by=paul, now=NOON)
        made = Invoice.objects.get(renews__invoice=world.invoice)

    theirs = get(world, "alice", f"/invoices/{made.public_id}/")

    assert world.invoice.number in theirs
    assert made.number in get(world, "alice", f"/invoices/{world.invoice.public_id}/")
    used = get(world, "alice", f"/invoices/{made.public_id}/lines/1/")
    assert f"청구서 {world.invoice.number}에 청구된" in used
    found = browser(world.cast.alice).get(f"/api/v1/invoices/{made.public_id}").json()
    assert (found["kind"], found["in_place_of"]) == ("corrected", world.invoice.public_id)
    again = browser(world.cast.olivia).post(path, body)
    assert again.status_code == 422
    assert made.number in again.content.decode()
