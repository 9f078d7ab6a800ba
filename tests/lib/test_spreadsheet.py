"""Cells of exports: numbers stay numbers, texts never become formulas."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from portal.lib import spreadsheet


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("한빛정밀", "한빛정밀"),
        ("", ""),
        (-5, "-5"),
        (Decimal("-0.000000000001"), "-0.000000000001"),
    ],
)
def test_writes_no_formula(value: object, written: str) -> None:
    text = "".join(spreadsheet.lines(["a"], [[value]]))

    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff")
    assert rows == [["a"], [written]]


def test_keeps_quotes_and_lines_inside_a_cell() -> None:
    text = "".join(spreadsheet.lines(["a", "b"], [['x"y', "1\n2"]]))

    assert list(csv.reader(io.StringIO(text)))[1] == ['x"y', "1\n2"]
