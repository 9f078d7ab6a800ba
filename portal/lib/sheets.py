"""Workbooks for spreadsheets (XLSX): rows in, bytes out. Pure.

Amounts and days are real numbers and dates, so that sums work; texts stay texts, whatever they
begin with, so that none is taken for a formula. Rows are written as they come: memory does not
grow with their number. Excel keeps fifteen digits: larger integers become texts, none is rounded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter

from portal.lib.periods import SEOUL

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LONGEST_TITLE = 31
MOST_EXACT = 999_999_999_999_999
_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")
_AS_TEXTS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table. ``widths`` are characters a column; ``notes`` are lines above the head."""

    title: str
    head: Sequence[str]
    rows: Iterable[Sequence[object]]
    widths: Sequence[int] = ()
    notes: Sequence[str] = ()


def workbook(*sheets: Sheet) -> bytes:
    """The file. Cells are texts, whole or exact numbers, truths, days, moments (shown in Korea's
    time) or nothing; ``TypeError`` for anything else."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, dict(_AS_TEXTS))
    styles = {
        "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
        "whole": book.add_format({"num_format": "#,##0"}),
        "exact": book.add_format({"num_format": "#,##0.######"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd"}),
        "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
    }
    for number, sheet in enumerate(sheets, start=1):
        _write(book.add_worksheet(_title(sheet.title, number)), sheet, styles)
    book.close()
    return buffer.getvalue()


def _title(text: str, number: int) -> str:
    """Excel refuses some signs, quotes at the ends, and long names."""
    clean = _FORBIDDEN.sub(" ", text).strip().strip("'")[:LONGEST_TITLE]
    return clean or f"Sheet{number}"


def _write(page: Any, sheet: Sheet, styles: dict[str, Any]) -> None:
    for column, width in enumerate(sheet.widths):
        page.set_column(column, column, width)
    for line, note in enumerate(sheet.notes):
        page.write_string(line, 0, note)
    top = len(sheet.notes)
    page.freeze_panes(top + 1, 1)
    for column, name in enumerate(sheet.head):
        page.write_string(top, column, name, styles["head"])
    for line, row in enumerate(sheet.rows, start=top + 1):
        for column, value in enumerate(row):
            _cell(page, line, column, value, styles)


def _cell(page: Any, line: int, column: int, value: object, styles: dict[str, Any]) -> None:
    match value:
        case None:
            return
        case bool():
            page.write_boolean(line, column, value)
        case int():
            if abs(value) > MOST_EXACT:
                page.write_string(line, column, str(value))
            else:
                page.write_number(line, column, value, styles["whole"])
        case Decimal():
            if abs(value) > MOST_EXACT:
                page.write_string(line, column, f"{value:f}")
            else:
                page.write_number(line, column, value, styles["exact"])
        case datetime():
            local = value.astimezone(SEOUL).replace(tzinfo=None)
            page.write_datetime(line, column, local, styles["moment"])
        case date():
            page.write_datetime(line, column, value, styles["day"])
        case str():
            page.write_string(line, column, value)
        case _:
            raise TypeError(f"no cell for {type(value).__name__}")
