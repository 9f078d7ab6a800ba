"""Business numbers and names: tables."""

import pytest

from tenants import names, numbers


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("124-81-00998", "1248100998"),
        ("220-81-62517", "2208162517"),
        ("123-45-67891", "1234567891"),
        (" 123 45 67891 ", "1234567891"),
        ("１２３－４５－６７８９１", "1234567891"),
        ("123–45–67891", "1234567891"),
    ],
)
def test_accepts_a_number_in_every_usual_spelling(typed: str, kept: str) -> None:
    assert numbers.normalized(typed) == kept


@pytest.mark.parametrize(
    "typed",
    ["123-45-67890", "124-81-00997", "000-00-00000", "12345678", "12345678911", "", "123-45-6789a"],
)
def test_refuses_what_is_no_number(typed: str) -> None:
    with pytest.raises(numbers.BadBusinessNumber):
        numbers.normalized(typed)


def test_shows_a_number_with_dashes() -> None:
    assert numbers.shown("1234567891") == "123-45-67891"
    assert numbers.shown(None) == ""


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("한빛정밀", "한빛정밀"),  # NFD becomes NFC
        ("  두   칸  ", "두 칸"),
        ("<img onerror=x>", "<img onerror=x>"),
        ("{{7*7}} 🚀", "{{7*7}} 🚀"),
    ],
)
def test_keeps_a_name_in_one_normal_form(typed: str, kept: str) -> None:
    assert names.normalized(typed, longest=60) == kept


@pytest.mark.parametrize("typed", ["", "   ", "a\u202eb", "a\u200bb", "a\x00b", "가" * 61])
def test_refuses_empty_hidden_and_long_names(typed: str) -> None:
    with pytest.raises(names.BadName):
        names.normalized(typed, longest=60)
