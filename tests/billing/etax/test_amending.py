"""Corrections: which documents each reason takes, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.etax import documents
from billing.etax.amending import BadCorrection, NothingToAmend
from billing.etax.amendments import Reason
from billing.models import EtaxDocument, Invoice
from tenants import rls
from tests.billing.etax.conftest import Desk, amend, correction, make_invoice


@pytest.fixture
def invoice(desk: Desk) -> Invoice:
    made = make_invoice(desk.cast.firm)
    for _ in range(9):
        desk.work(minutes=30)
    assert desk.states() == ["accepted"]
    return made


ALL = (-1_234_567, -123_456)


@pytest.mark.parametrize(
    ("reason", "amounts", "code", "sheets", "dates"),
    [
        (Reason.PRICE, (-100_000, -10_000), "02", [(-100_000, -10_000)], ["2026-12-01"]),
        (Reason.PRICE, (500, 50), "02", [(500, 50)], ["2026-12-01"]),
        (Reason.RETURN, (-100_000, -10_000), "03", [(-100_000, -10_000)], ["2026-12-01"]),
        (Reason.CANCELLATION, ALL, "04", [ALL], ["2026-12-01"]),
        (Reason.DUPLICATE, ALL, "06", [ALL], ["2026-11-30"]),
    ],
)
def test_each_reason_takes_its_documents(
    desk: Desk,
    invoice: Invoice,
    reason: Reason,
    amounts: tuple[int, int],
    code: str,
    sheets: list[tuple[int, int]],
    dates: list[str],
) -> None:
    made = amend(desk, correction(invoice, *amounts, reason=reason))
    for _ in range(10):
        desk.work(minutes=30)

    with rls.everyone(because="test"):
        found = list(EtaxDocument.objects.filter(pk__in=[one.pk for one in made]).order_by("pk"))
    assert [(one.supply_won, one.vat_won) for one in found] == sheets
    assert [one.write_date.isoformat() for one in found] == dates
    assert {one.code for one in found} == {code}
    assert desk.states() == ["amended"] + ["accepted"] * len(sheets)


@pytest.mark.parametrize(
    ("reason", "code", "vat"),
    [(Reason.PARTICULARS, "01", 90_000), (Reason.LETTER_OF_CREDIT, "05", 0)],
)
def test_two_sheets_where_the_right_contents_take_the_place(
    desk: Desk, invoice: Invoice, reason: Reason, code: str, vat: int
) -> None:
    right = make_invoice(desk.cast.firm, [900_000], number="2026-12-00009", issue_date="2026-11-30")
    change = correction(
        invoice, 900_000 - 1_234_567, 90_000 - 123_456, reason=reason, renewed=right
    )

    made = amend(desk, change)
    for _ in range(10):
        desk.work(minutes=30)

    with rls.everyone(because="test"):
        first, second = EtaxDocument.objects.filter(pk__in=[one.pk for one in made]).order_by("pk")
    assert (first.key, second.key) == ("CN-2026-12-00001-A-1", "CN-2026-12-00001-B-1")
    assert (first.supply_won, first.vat_won) == ALL
    assert (second.supply_won, second.vat_won, second.code) == (900_000, vat, code)
    assert first.write_date == second.write_date
    assert (first.state, second.state) == ("accepted", "accepted")


def test_the_same_correction_writes_nothing_twice(desk: Desk, invoice: Invoice) -> None:
    change = correction(invoice, -100_000, -10_000)

    assert [len(amend(desk, change)) for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("reason", "amounts"),
    [
        (Reason.RETURN, (100, 10)),
        (Reason.PRICE, (-1_234_568, -123_456)),  # more than there is
        (Reason.PRICE, (-1_234_567, -123_457)),
        (Reason.CANCELLATION, (-100_000, -10_000)),  # not all of it
        (Reason.DUPLICATE, (-100_000, -10_000)),
        (Reason.PARTICULARS, ALL),  # without the right contents
    ],
)
def test_refuses_amounts_that_the_reason_does_not_allow(
    desk: Desk, invoice: Invoice, reason: Reason, amounts: tuple[int, int]
) -> None:
    with pytest.raises(BadCorrection):
        amend(desk, correction(invoice, *amounts, reason=reason))

    assert len(desk.documents()) == 1


def test_a_change_that_is_still_to_come_waits_for_its_day(desk: Desk, invoice: Invoice) -> None:
    tomorrow = desk.clock.now.date() + timedelta(days=1)

    with pytest.raises(BadCorrection, match=str(tomorrow)):
        amend(desk, correction(invoice, -100_000, -10_000, happened_on=tomorrow))


def test_takes_back_no_more_than_there_is_in_two_steps(desk: Desk, invoice: Invoice) -> None:
    amend(desk, correction(invoice, -1_000_000, -100_000))
    second = {"public_id": "crn_2", "number": "CN-2026-12-00002"}

    with pytest.raises(BadCorrection, match="234,567"):
        amend(desk, correction(invoice, -234_568, -23_456, **second))
    with pytest.raises(BadCorrection):  # no longer the whole original
        amend(desk, correction(invoice, -234_567, -23_456, reason=Reason.CANCELLATION, **second))
    amend(desk, correction(invoice, -234_567, -23_456, **second))

    assert sum(one.total_won for one in desk.documents()) == 0


def test_waits_until_the_tax_service_has_the_original(desk: Desk) -> None:
    made = make_invoice(desk.cast.firm)
    desk.work()
    amend(desk, correction(made, -100_000, -10_000))

    desk.work(minutes=5)

    original, amended = desk.documents()
    assert (original.state, amended.state, amended.tries) == ("issued", "prepared", 0)
    for _ in range(14):
        desk.work(minutes=30)
    assert desk.states() == ["amended", "accepted"]


def test_follows_an_original_that_was_issued_again(desk: Desk) -> None:
    from billing.etax import deeds

    made = make_invoice(desk.cast.firm)
    desk.service.reject = "ERR006"
    desk.work()
    amend(desk, correction(made, -100_000, -10_000))
    for _ in range(9):
        desk.work(minutes=30)
    desk.service.reject = ""
    first = desk.documents()[0]
    assert first.state == "rejected"
    with rls.everyone(because="test"):
        deeds.reissue(
            document=first, because="날짜를 고쳤습니다", by=desk.cast.olivia.may, now=desk.clock.now
        )

    for _ in range(20):
        desk.work(minutes=30)

    states = {one.key: one.state for one in desk.documents()}
    assert states == {
        "2026-12-00001-1": "rejected",
        "2026-12-00001-2": "amended",
        "CN-2026-12-00001-A-1": "accepted",
    }


def test_there_is_nothing_to_amend_without_a_document(desk: Desk) -> None:
    made = make_invoice(desk.cast.firm)

    with pytest.raises(NothingToAmend):
        amend(desk, correction(made, -1, 0))


def test_a_late_correction_has_its_own_day(desk: Desk, invoice: Invoice) -> None:
    desk.clock.tick(days=40)
    change = correction(invoice, -100_000, -10_000, happened_on=desk.clock.now.date())

    (made,) = amend(desk, change)

    assert made.due_date > made.write_date
    assert documents.of_json(made.body).remark == "당초 작성일자 2026-11-30"
