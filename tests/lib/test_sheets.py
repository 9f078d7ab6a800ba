"""Workbooks: numbers are numbers, texts are never formulas."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from portal.lib.sheets import MOST_EXACT, Sheet, workbook

SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def cells(content: bytes, sheet: int = 1) -> dict[str, tuple[str, str]]:
    """Address → (type, value) of one sheet, as it stands in the file; ``n`` is a number."""
    root = ElementTree.fromstring(opened(content).read(f"xl/worksheets/sheet{sheet}.xml"))
    found = {}
    for cell in root.iter(f"{SPACE}c"):
        assert cell.find(f"{SPACE}f") is None, "a formula"
        value = cell.find(f"{SPACE}v")
        text = value if value is not None else next(cell.iter(f"{SPACE}t"))
        found[cell.get("r", "")] = (cell.get("t", "n"), text.text or "")
    return found


def test_writes_amounts_as_numbers() -> None:
    content = workbook(
        Sheet("세목별", ["코드", "금액", "단가"], [["201-02", 48_000_000_000, Decimal("0.042")]])
    )

    found = cells(content)
    assert found["A2"] == ("inlineStr", "201-02")
    assert found["B2"] == ("n", "48000000000")
    assert found["C2"] == ("n", "0.042")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "http://x.example", "7"])
def test_never_takes_a_text_for_more(text: str) -> None:
    kind, value = cells(workbook(Sheet("표", ["적요"], [[text]])))["A2"]

    assert (kind, value.strip()) == ("inlineStr", text.strip())


def test_writes_days_and_moments_as_dates() -> None:
    moment = datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC)

    found = cells(workbook(Sheet("표", ["날", "때"], [[date(2026, 1, 1), moment]])))

    assert found["A2"] == ("n", "46023")
    kind, value = found["B2"]
    assert kind == "n" and value.startswith("46387.99998")  # 23:59:59 in Korea


def test_leaves_empty_what_is_nothing_and_keeps_truths() -> None:
    found = cells(workbook(Sheet("표", ["a", "b"], [[None, True]])))

    assert "A2" not in found
    assert found["B2"] == ("b", "1")


def test_rounds_no_large_number() -> None:
    found = cells(workbook(Sheet("표", ["a", "b"], [[MOST_EXACT, MOST_EXACT + 1]])))

    assert found["A2"] == ("n", str(MOST_EXACT))
    assert found["B2"] == ("inlineStr", str(MOST_EXACT + 1))


def test_takes_nothing_that_has_no_cell() -> None:
    with pytest.raises(TypeError, match="float"):
        workbook(Sheet("표", ["a"], [[0.1]]))


def test_makes_titles_that_excel_takes() -> None:
    content = workbook(
        Sheet("a/b:c*d?e[f]", ["a"], []), Sheet("", ["a"], []), Sheet("x" * 40, ["a"], [])
    )

    book = opened(content).read("xl/workbook.xml").decode()
    assert re.findall(r'<sheet name="([^"]*)"', book) == ["a b c d e f", "Sheet2", "x" * 31]


def test_puts_notes_above_the_head() -> None:
    found = cells(workbook(Sheet("표", ["금액"], [[1]], notes=["단위: 원", "VAT 포함"])))

    assert [found[name][1] for name in ("A1", "A2", "A3", "A4")] == [
        "단위: 원",
        "VAT 포함",
        "금액",
        "1",
    ]


def test_reads_rows_as_they_come() -> None:
    seen = []

    def rows() -> object:
        for number in range(3):
            seen.append(number)
            yield [number]

    found = cells(workbook(Sheet("표", ["a"], rows())))  # type: ignore[arg-type]

    assert seen == [0, 1, 2]
    assert found["A4"] == ("n", "2")
