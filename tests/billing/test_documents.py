"""Documents of each kind, in both languages: read out of the PDF again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from billing import documents, invoices
from billing.funding.drawing import Part
from billing.models import (
    CreditNote,
    CreditNoteLine,
    FundingSource,
    Invoice,
    InvoiceDocument,
    KeptDocument,
)
from billing.models import InvoiceLine as Line
from tenants import rls
from tests import factories
from tests.cast import Cast

PARTY = {"name": "두레 운영", "business_number": "1234567891", "address": "대구", "kind": "sme"}
AT = datetime(2026, 12, 4, tzinfo=UTC)


def invoice(won: int, *, kind: str = "month", rule: str = "truncate") -> Invoice:
    return Invoice(
        public_id="inv_x",
        number="2026-12-00017",
        kind=kind,
        month="2026-11",
        period_start=AT,
        period_end=AT,
        issued_at=AT,
        issue_date=date(2026, 12, 4),
        due_date=date(2027, 1, 3),
        seller=PARTY,
        buyer=PARTY,
        supply_won=won,
        vat_won=won // 10,
        untaxed_won=0,
        total_won=won + won // 10,
        vat_rule=rule,
    )


def lines(count: int, won: int = 1000) -> list[Line]:
    return [
        Line(
            position=place,
            usage_month="2026-11",
            text_ko="견적-상담 입력 토큰",
            text_en="quotes, input tokens",
            unit="tokens",
            quantity=1_000_000,
            unit_price=Decimal(won),
            amount_won=won,
        )
        for place in range(1, count + 1)
    ]


def pages(page: dict[str, object]) -> list[str]:
    (pdf,) = documents.rendered(page)
    return [one.extract_text() for one in PdfReader(BytesIO(pdf)).pages]


def test_carries_sums_over_pages_and_repeats_the_heads() -> None:
    found = pages(documents.content(invoice(300_000), lines(300)))

    assert len(found) > 5
    for number, text in enumerate(found, start=1):
        assert f"{number} / {len(found)}" in text
        assert "공급가액" in text
    rows = [text.count("견적-상담") for text in found]
    assert sum(rows) == 300
    assert f"여기까지 소계 ₩{rows[0] * 1000:,}" in " ".join(found[0].split())
    assert f"앞쪽에서 이월 ₩{rows[0] * 1000:,}" in " ".join(found[1].split())
    assert "여기까지 소계" not in found[-1]
    assert "₩330,000" in found[-1]


def test_carries_nothing_on_a_single_page() -> None:
    (text,) = pages(documents.content(invoice(3000), lines(3)))

    assert "소계" not in text
    assert "이월" not in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ko", ["청구서", "중간 청구", "부가가치세 10%", "1원 미만을 올립니다", "입력 토큰"]),
        ("en", ["Invoice", "Interim", "VAT 10%", "rounded up to whole won", "input tokens"]),
    ],
)
def test_speaks_the_language_of_the_copy(language: str, words: list[str]) -> None:
    page = documents.content(invoice(3000, kind="interim", rule="up"), lines(3), language)
    (text,) = pages(page)

    for word in words:
        assert word in " ".join(text.split())


def credit_note(of: Invoice) -> CreditNote:
    return CreditNote(
        public_id="crn_x",
        number="C2026-12-00001",
        invoice=of,
        issue_date=date(2026, 12, 4),
        seller=PARTY,
        buyer=PARTY,
        supply_won=500,
        vat_won=50,
        untaxed_won=0,
        total_won=550,
        because="요금표를 잘못 적용했습니다.",
        vat_rule="truncate",
    )


def test_prints_a_credit_note() -> None:
    note = credit_note(invoice(3000))
    line = CreditNoteLine(
        usage_month="2026-11", text_ko="입력 토큰", text_en="tokens", amount_won=500
    )

    (text,) = pages(documents.credit_content(note, [line]))

    for word in ("청구 취소서", "C2026-12-00001", "2026-12-00017", "₩550", "잘못 적용했습니다."):
        assert word in " ".join(text.split())


def test_prints_an_invoice_in_the_place_of_a_wrong_one() -> None:
    made = invoice(2000, kind="corrected", rule="zero")
    made.renews = credit_note(invoice(3000))
    made.number = "2026-12-00018"
    unpriced = lines(1, 2000)
    unpriced[0].unit_price = Decimal(0)

    (text,) = pages(documents.content(made, unpriced))

    words = " ".join(text.split())
    for word in ("정정", "2026-12-00018", "정정 전 청구서 2026-12-00017", "C2026-12-00001"):
        assert word in words
    assert "잘못 적용했습니다." in words
    assert "10%" not in words
    assert "토큰 –" in words


def test_keeps_each_language_as_it_was_first_made(cast: Cast, prices: None) -> None:
    factories.ledger_entry(cast.project, tokens_in=1_000_000)
    made = invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=AT)
    assert made is not None
    with rls.tenant(cast.firm.pk):
        korean, english = (
            documents.pdf_of(made, now=AT),
            documents.pdf_of(made, now=AT, language="en"),
        )

        assert documents.pdf_of(made, now=AT) == korean
        assert documents.pdf_of(made, now=AT, language="en") == english
        assert korean != english
        assert (InvoiceDocument.objects.count(), KeptDocument.objects.count()) == (1, 1)


def test_an_invoice_says_which_source_pays_which_part() -> None:
    subsidy = FundingSource(kind="subsidy", name="GPU 지원", programme="2026 지원사업")
    credit = FundingSource(kind="prepaid", name="2026-11-16")
    parts = [Part(subsidy, None, 750, 0), Part(credit, subsidy, 250, 0), Part(None, None, 100, 0)]

    (korean,) = pages(documents.content(invoice(1000), lines(1), "ko", parts))
    (english,) = pages(documents.content(invoice(1000), lines(1), "en", parts))

    assert "보조금 · GPU 지원 · 2026 지원사업" in korean and "₩750" in korean
    assert "선불 크레딧 · 2026-11-16 · 자부담: GPU 지원" in korean
    assert korean.count("₩1,100") == english.count("₩1,100") == 3  # to pay, total, all sources
    assert "Own money" in english and "own share of GPU 지원" in english
