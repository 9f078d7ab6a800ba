"""For what a deposit is: certain, or left to a person."""

from __future__ import annotations

import pytest

from billing.payments.matching import (
    SUGGESTIONS,
    Book,
    Found,
    Match,
    Open,
    plain_name,
    reference_of,
    references_in,
)

HANBIT, OTHER = 1, 2
OPEN = [
    Open("inv_a", "2026-11-00001", HANBIT, "(주)한빛정밀", 110_000),
    Open("inv_b", "2026-11-00002", HANBIT, "(주)한빛정밀", 55_000),
    Open("inv_c", "2026-11-00003", OTHER, "이웃상사", 110_000),
]


def find(won: int = 110_000, payer: str = "", memo: str = "", account: str = "") -> Found:
    book = Book({"K3YH8N2B": HANBIT, "M4XY00P1": OTHER}, {"99912345678": OTHER}, OPEN)
    return book.find(won=won, payer=payer, memo=memo, account=account)


@pytest.mark.parametrize(
    "text",
    [
        "K3YH8N2B",
        "k3yh8n2b",
        "K3YH-8N2B",
        "k3yh 8n2b",
        "한빛 K3YH8N2B 11월",
        "Ｋ３ＹＨ８Ｎ２Ｂ",
        "한빛K3YH8N2B",
    ],
)
def test_finds_the_reference_however_it_is_written(text: str) -> None:
    assert find(payer=text).match == Match(HANBIT, "reference", "inv_a")
    assert find(memo=text, won=1).match == Match(HANBIT, "reference", "")


def test_reads_letters_that_look_like_digits() -> None:
    assert find(memo="m4xyoop1").match == Match(OTHER, "reference", "inv_c")
    assert find(memo="M4XYOOPI").match == Match(OTHER, "reference", "inv_c")


def test_finds_the_virtual_account_and_the_invoice_number() -> None:
    assert find(account="99912345678").match == Match(OTHER, "account", "inv_c")
    assert find(memo="청구서 2026-11-00002").match == Match(HANBIT, "number", "inv_b")
    assert find(payer="2026-11-00002").match == Match(HANBIT, "number", "inv_b")


def test_what_nobody_has_names_nobody() -> None:
    assert find(account="00000000", memo="2026-11-99999 ZZZZZZZZ") == find()


def test_a_named_invoice_comes_before_the_exact_amount() -> None:
    found = find(memo="K3YH8N2B 2026-11-00002", won=110_000)

    assert found.match == Match(HANBIT, "reference", "inv_b")


@pytest.mark.parametrize(
    ("memo", "account"),
    [
        ("K3YH8N2B M4XY00P1", ""),
        ("K3YH8N2B", "99912345678"),
        ("2026-11-00003 K3YH8N2B", ""),
        ("2026-11-00001 2026-11-00003", ""),
    ],
)
def test_places_nothing_that_names_two(memo: str, account: str) -> None:
    assert find(memo=memo, account=account).match is None


@pytest.mark.parametrize("name", ["(주)한빛정밀", "한빛정밀", "주식회사 한빛정밀", "㈜ 한빛 정밀"])
def test_takes_name_and_exact_amount_together(name: str) -> None:
    assert find(payer=name).match == Match(HANBIT, "name", "inv_a")
    assert find(payer="누구", memo=name).match == Match(HANBIT, "name", "inv_a")
    assert find(payer=name, won=110_001).match is None


def test_takes_no_name_for_two_invoices_of_one_amount() -> None:
    twice = [*OPEN, Open("inv_d", "2026-11-00004", HANBIT, "한빛정밀", 110_000)]
    book = Book({"K3YH8N2B": HANBIT}, {}, twice)

    assert book.find(won=110_000, payer="한빛정밀", memo="", account="").match is None
    named = book.find(won=110_000, payer="", memo="K3YH8N2B", account="")
    assert named.match == Match(HANBIT, "reference", "")


def test_takes_no_amount_alone() -> None:
    found = find(won=55_000, payer="김사장")

    assert found.match is None
    assert [(one.open.invoice, one.because) for one in found.suggestions] == [("inv_b", "amount")]


def test_suggests_those_of_the_name_first() -> None:
    found = find(won=110_000, payer="이웃상사", memo="K3YH8N2B M4XY00P1")

    suggested = [(one.open.invoice, one.because) for one in found.suggestions]
    assert suggested == [("inv_c", "name"), ("inv_a", "amount")]


def test_suggests_a_few() -> None:
    many = [Open(f"inv_{number}", f"n{number}", number, f"기관{number}", 5) for number in range(9)]

    found = Book({}, {}, many).find(won=5, payer="", memo="", account="")

    assert [one.open for one in found.suggestions] == many[:SUGGESTIONS]


def test_suggests_nothing_where_nothing_fits() -> None:
    assert find(won=7, payer="누구").suggestions == ()


def test_an_empty_name_is_nobodys() -> None:
    book = Book({}, {}, [Open("inv_x", "n", HANBIT, "(주)", 5)])

    assert book.find(won=5, payer="주식회사", memo="", account="").match is None
    assert plain_name("㈜") == ""


@pytest.mark.parametrize("form", ["주식회사", "유한회사", "(주)", "㈜", "(유)", "재단법인",
                                  "사단법인", "(재)", "(사)", "(의)"])  # fmt: skip
def test_compares_names_without_their_legal_form(form: str) -> None:
    assert plain_name(f"{form} ＡＢ-Cd. {form}") == "abcd"


def test_finds_no_reference_in_longer_words() -> None:
    assert references_in("AK3YH8N2B") == []
    assert references_in("K3YH--8N2B K3YH8N2") == []
    assert reference_of("k3yh8n2b") == "K3YH8N2B"
