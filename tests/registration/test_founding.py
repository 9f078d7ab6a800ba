"""Kinds, numbers and names of a sign-up: tables."""

from __future__ import annotations

import pytest

from tenants import founding, homographs, names, numbers
from tenants.founding import Founding
from tenants.models import Organization


def fitting(middle: str) -> str:
    """A number with these middle digits whose check digit fits."""
    head = f"123{middle}1234"
    return next(head + str(last) for last in range(10) if numbers._checksum_fits(head + str(last)))


@pytest.mark.parametrize(
    ("kind", "middle", "fits"),
    [
        ("sme", "81", True),
        ("sme", "45", True),  # a sole trader may call himself a firm
        ("sme", "82", True),
        ("sme", "83", False),
        ("sole_trader", "45", True),
        ("sole_trader", "90", True),
        ("sole_trader", "81", False),
        ("sole_trader", "82", False),
        ("hospital", "90", True),
        ("hospital", "82", True),
        ("hospital", "83", True),
        ("public", "83", True),
        ("public", "82", True),
        ("public", "80", True),
        ("public", "81", True),
        ("public", "45", False),
        ("public", "90", False),
    ],
)
def test_compares_the_kind_with_the_middle_digits(kind: str, middle: str, fits: bool) -> None:
    wish = Founding(kind, "새 기관", fitting(middle), medical_number="12345678")

    if fits:
        assert founding.checked_numbers(wish).business_number == fitting(middle)
    else:
        with pytest.raises(founding.OtherKind):
            founding.checked_numbers(wish)


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (Founding("operator", "x", fitting("81")), founding.KindNotOpen),
        (Founding("", "x", fitting("81")), founding.KindNotOpen),
        (Founding("sme", "", fitting("81")), names.BadName),
        (Founding("sme", "a\u200bb", fitting("81")), names.BadName),
        (Founding("sme", "x", "1248100997"), numbers.BadBusinessNumber),
        (Founding("hospital", "x", fitting("81")), numbers.BadMedicalNumber),
        (Founding("hospital", "x", fitting("81"), "1234567"), numbers.BadMedicalNumber),
        (Founding("hospital", "x", fitting("81"), "1234567a"), numbers.BadMedicalNumber),
        (Founding("sme", "x", fitting("81"), "", "123"), numbers.BadCorporateNumber),
    ],
)
def test_refuses_each_wrong_word_by_its_own_name(wish: Founding, error: type[Exception]) -> None:
    with pytest.raises(error):
        founding.checked_numbers(wish)


def test_refuses_an_unknown_data_class() -> None:
    with pytest.raises(founding.NoDataClass):
        Founding("sme", "x", fitting("81"), data_class="secret").checked()


def test_keeps_numbers_in_normal_form_and_drops_the_code_of_no_hospital() -> None:
    kept = founding.checked_numbers(
        Founding("sme", "  새   회사 ", "１２４－８１－００９９８", "12345678", "130111-0006246")
    )

    assert (kept.name, kept.business_number) == ("새 회사", "1248100998")
    assert (kept.medical_number, kept.corporate_number) == ("", "1301110006246")


@pytest.mark.parametrize(
    ("number", "doubt"), [("1301110006246", False), ("1301110006247", True), ("", False)]
)
def test_only_doubts_a_corporate_number(number: str, doubt: bool) -> None:
    assert bool(numbers.corporate_warning(number)) is doubt


@pytest.mark.parametrize(
    "name", ["한빛정밀", "(주)한빛 Tech", "Café 서울", "大韓商社", "さくら商店", "ABC-123", "3M"]
)
def test_takes_names_as_firms_write_them(name: str) -> None:
    homographs.check(name)
    assert homographs.warning(name) == "" or name == "さくら商店"


@pytest.mark.parametrize("name", ["Nаver", "Sаmsung", "Kαkao", "한빛Теch"])
def test_refuses_letters_of_alphabets_that_nobody_mixes(name: str) -> None:
    with pytest.raises(names.BadName):
        homographs.check(name)


@pytest.mark.parametrize("name", ["Самсунг", "ＮＡＶＥＲ", "𝐍𝐚𝐯𝐞𝐫", "ⓃAVER"])
def test_doubts_a_name_that_looks_like_another(name: str) -> None:
    homographs.check(name)
    assert homographs.warning(name)


@pytest.mark.parametrize(
    ("kind", "middle", "choice"),
    [
        ("sme", "81", "sme"),
        ("sme", "45", "sole_trader"),
        ("hospital", "90", "hospital"),
        ("public", "83", "public"),
    ],
)
def test_reads_back_what_was_chosen(kind: str, middle: str, choice: str) -> None:
    assert founding.choice_of(Organization(kind=kind, business_number=fitting(middle))) == choice
