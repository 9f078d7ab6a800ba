"""What an e-tax invoice says, in tables and properties. No database."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.etax import documents
from billing.etax.amendments import RULES, Code, Dated, Reason, Sheet, code_for
from billing.etax.documents import (
    Amendment,
    Document,
    Fault,
    Line,
    Party,
    Purpose,
    TaxKind,
    faults,
    item_lines,
)

DAY = date(2026, 11, 30)
SELLER = Party("5048600001", "두레 운영", "대표자")
BUYER = Party("1234567891", "한빛정밀", "김서연")


def document(supply: int = 10_000, vat: int = 1_000, **other: object) -> Document:
    made = Document(
        key="2026-11-00001-1",
        write_date=DAY,
        tax=TaxKind.TAXABLE,
        purpose=Purpose.CLAIM,
        supplier=SELLER,
        buyer=BUYER,
        lines=(Line("입력 토큰", supply, vat, DAY),),
        supply_won=supply,
        vat_won=vat,
    )
    return dataclasses.replace(made, **other)  # type: ignore[arg-type]


def amended(code: Code, supply: int, vat: int, approval: str = "") -> Document:
    amendment = Amendment(code, RULES[code].sheets[0], DAY, approval)
    return document(supply, vat, amendment=amendment)


def test_finds_nothing_wrong_with_a_plain_one() -> None:
    assert faults(document()) == []


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ({"buyer": dataclasses.replace(BUYER, number="")}, Fault.BUYER_NUMBER),
        ({"buyer": dataclasses.replace(BUYER, number="123456789")}, Fault.BUYER_NUMBER),
        ({"buyer": dataclasses.replace(BUYER, number="123456789１")}, Fault.BUYER_NUMBER),
        ({"buyer": dataclasses.replace(BUYER, representative="")}, Fault.REPRESENTATIVE),
        ({"buyer": dataclasses.replace(BUYER, name="")}, Fault.BUYER_NAME),
        ({"buyer": dataclasses.replace(BUYER, name="긴" * 201)}, Fault.TOO_LONG),
        ({"buyer": dataclasses.replace(BUYER, trade="긴" * 101)}, Fault.TOO_LONG),
        ({"buyer": dataclasses.replace(BUYER, address="긴" * 301)}, Fault.TOO_LONG),
        ({"buyer": dataclasses.replace(BUYER, place="12")}, Fault.PLACE),
        ({"supplier": dataclasses.replace(SELLER, number="1")}, Fault.SUPPLIER_NUMBER),
        ({"supplier": dataclasses.replace(SELLER, representative="")}, Fault.SUPPLIER_NAME),
        ({"key": "2026-11-00001-000000000001"}, Fault.KEY),
        ({"key": "청구-1"}, Fault.KEY),
        ({"remark": "긴" * 151}, Fault.TOO_LONG),
        ({"buyer": dataclasses.replace(BUYER, representative="긴" * 101)}, Fault.TOO_LONG),
        ({"lines": (Line("입력 토큰", 9_999, 1_000, DAY),)}, Fault.SUMS),
        ({"lines": ()}, Fault.NOTHING),
        ({"vat_won": 999}, Fault.SUMS),
        ({"tax": TaxKind.ZERO_RATED}, Fault.VAT),
        ({"tax": TaxKind.EXEMPT}, Fault.VAT),
        ({"lines": (Line("긴" * 101, 10_000, 1_000),)}, Fault.LINES),
        ({"lines": (Line("한 줄", 100, 10),) * 100}, Fault.LINES),
    ],
)
def test_names_what_would_be_refused(other: dict[str, object], fault: Fault) -> None:
    assert fault in faults(document(**other))


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (document(0, 0), Fault.NOTHING),
        (document(-10_000, -1_000), Fault.NEGATIVE),
        (document(10_000, -1_000), Fault.SIGNS),
        (document(10**18, 10**17), Fault.TOO_MUCH),
        (amended(Code.RETURNED, 10_000, 1_000), Fault.ONLY_LESS),
        (amended(Code.CANCELLED, 10_000, 1_000), Fault.ONLY_LESS),
        (amended(Code.AMOUNT_CHANGED, 1, 0, "123"), Fault.ORIGINAL),
    ],
)
def test_names_amounts_that_would_be_refused(made: Document, fault: Fault) -> None:
    assert fault in faults(made)


@pytest.mark.parametrize(
    "made",
    [
        amended(Code.RETURNED, -10_000, -1_000),
        amended(Code.AMOUNT_CHANGED, 500, 50),
        amended(Code.AMOUNT_CHANGED, -500, -50, "202611309999999900000001"),
        document(10_005, 1_000),  # VAT below one won is cut off
        document(100_000_001, 10_000_000),
        document(9_999_999_999_999, 999_999_999_999),
        document(9, 0),
        document(10_000, 0, tax=TaxKind.EXEMPT, lines=(Line("한 줄", 10_000),)),
    ],
)
def test_takes_what_is_allowed(made: Document) -> None:
    assert faults(made) == []


@pytest.mark.parametrize(
    ("tax", "codes"),
    [
        (TaxKind.TAXABLE, ("0101", "0201")),
        (TaxKind.ZERO_RATED, ("0102", "0202")),
        (TaxKind.EXEMPT, ("0301", "0401")),
    ],
)
def test_has_the_standards_type_codes(tax: TaxKind, codes: tuple[str, str]) -> None:
    found = tuple(documents.type_code(tax, amended=one) for one in (False, True))

    assert found == codes


# ─── lines ─────────────────────────────────────────────────────────────────────────────────────

won = st.integers(min_value=-(10**12), max_value=10**12)


@given(
    st.lists(won, min_size=1, max_size=8),
    st.integers(min_value=1, max_value=40),
    st.integers(min_value=0, max_value=10**13),
)
def test_lines_add_up_to_the_document_whatever_is_folded(
    some: list[int], times: int, vat: int
) -> None:
    amounts = some * times

    lines = item_lines([(f"품목 {n}", one) for n, one in enumerate(amounts)], vat, DAY)

    assert len(lines) == min(len(amounts), 99)
    assert sum(line.supply_won for line in lines) == sum(amounts)
    assert sum(line.vat_won for line in lines) == vat


@pytest.mark.parametrize(
    ("count", "last"), [(98, "품목 98"), (99, "품목 99"), (100, "외 2건"), (300, "외 202건")]
)
def test_folds_what_is_beyond_99_lines(count: int, last: str) -> None:
    rows = [(f"품목 {n}", 1_000) for n in range(1, count + 1)]

    lines = item_lines(rows, count * 100, DAY)

    assert (len(lines), lines[-1].name) == (min(count, 99), last)
    assert all(line.vat_won == 100 for line in lines[:98])


@pytest.mark.parametrize(
    ("amounts", "vat", "shares"),
    [
        ([10_005], 1_000, [1_000]),
        ([5, 5], 1, [1, 0]),  # a won that rounding leaves over goes to the largest line
        ([19, 21], 4, [1, 3]),
        ([1_000, -100], 90, [100, -10]),
        ([1_000, -15], 99, [100, -1]),  # cut off towards zero, below it too
        ([], 0, []),
        ([1_000, 2_000], 0, [0, 0]),  # zero-rated and exempt
    ],
)
def test_shares_vat_out(amounts: list[int], vat: int, shares: list[int]) -> None:
    lines = item_lines([("품목", one) for one in amounts], vat, DAY)

    assert [line.vat_won for line in lines] == shares


def test_shortens_a_name_that_is_too_long_and_says_so() -> None:
    (line,) = item_lines([("가" * 150, 1_000)], 100, DAY)

    assert (len(line.name), line.name[-1]) == (100, "…")


# ─── amendments ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reason", "code", "sheets", "dated"),
    [
        (Reason.PARTICULARS, "01", ["reversal", "renewed"], Dated.ORIGINAL),
        (Reason.PRICE, "02", ["difference"], Dated.EVENT),
        (Reason.RETURN, "03", ["difference"], Dated.EVENT),
        (Reason.CANCELLATION, "04", ["reversal"], Dated.EVENT),
        (Reason.LETTER_OF_CREDIT, "05", ["reversal", "renewed"], Dated.ORIGINAL),
        (Reason.DUPLICATE, "06", ["reversal"], Dated.ORIGINAL),
    ],
)
def test_each_reason_has_its_code_and_sheets(
    reason: Reason, code: str, sheets: list[str], dated: Dated
) -> None:
    found = code_for(reason)
    rule = RULES[found]

    assert (found, [str(one) for one in rule.sheets], rule.dated) == (code, sheets, dated)


def test_a_reversal_takes_all_of_the_original_back() -> None:
    original = document(10_005, 1_000)

    found = documents.reversed_of(original, key="K-A-1", code=Code.CANCELLED, day=DAY)

    assert (found.supply_won, found.vat_won, found.total_won) == (-10_005, -1_000, -11_005)
    assert [(line.supply_won, line.vat_won) for line in found.lines] == [(-10_005, -1_000)]
    assert "2026-11-30" in found.remark
    assert faults(found) == []


def test_names_all_that_is_wrong_in_one_order() -> None:
    made = document(lines=(), key="", buyer=dataclasses.replace(BUYER, number="", name=""))

    assert faults(made) == [
        Fault.KEY,
        Fault.BUYER_NUMBER,
        Fault.BUYER_NAME,
        Fault.NOTHING,
        Fault.SUMS,
    ]


@pytest.mark.parametrize(
    ("code", "negative", "whole"),
    [
        ("01", False, True),
        ("02", False, False),
        ("03", True, False),
        ("04", True, True),
        ("05", False, True),
        ("06", True, True),
    ],
)
def test_says_of_each_code_what_its_amounts_may_be(code: str, negative: bool, whole: bool) -> None:
    """부가가치세법 시행령 제70조: a return and a cancellation only take back."""
    rule = RULES[Code(code)]

    assert (rule.negative, rule.whole) == (negative, whole)


def test_is_read_back_as_it_was_kept() -> None:
    original = document(10_005, 1_000)
    amendment = Amendment(Code.AMOUNT_CHANGED, Sheet.DIFFERENCE, DAY, "202611309999999900000001")

    for made in (original, dataclasses.replace(original, amendment=amendment)):
        assert documents.of_json(documents.to_json(made)) == made
