"""Statements of Korean banks as CSV, read. Pure: bytes in, deposits or one refusal out.

Banks write UTF-8 (with a mark) or CP949, put lines about the account before the headings and a
sum below, name the columns as they like, and write amounts with separators. Whatever cannot be
read for certain refuses the whole file with the number of the line: nothing is half booked.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from portal.lib.periods import SEOUL

MOST_BYTES = 2 * 1024 * 1024
MOST_LINES = 5_000
MOST_WON = 10**12  # a deposit above a trillion won is a misread number
HEAD_WITHIN = 30  # lines that a bank may put before its headings

# Headings as banks write them, without spaces and what stands in brackets.
_HEADINGS: dict[str, tuple[str, ...]] = {
    "at": ("거래일시", "거래일자", "거래일", "거래날짜", "일자", "날짜", "입금일시", "date"),
    "time": ("거래시간", "거래시각", "시간", "time"),
    "deposit": ("입금액", "입금", "입금금액", "맡기신금액", "입금하신금액", "deposit"),
    "withdrawal": ("출금액", "출금", "출금금액", "찾으신금액", "지급금액", "withdrawal"),
    "memo": ("적요", "거래내용", "내용", "기재내용", "통장표시내용", "통장메모", "메모", "memo"),
    "payer": (
        "보내는분",
        "보낸분",
        "보낸분/받는분",
        "받는분/보낸분",
        "의뢰인",
        "의뢰인/수취인",
        "입금자",
        "입금자명",
        "입금인",
        "송금인",
        "상대계좌예금주명",
        "예금주명",
        "payer",
    ),
    "balance": ("잔액", "거래후잔액", "거래후잔고", "남은금액", "balance"),
    "account": ("가상계좌번호", "가상계좌", "virtualaccount"),
}
_SUMS = ("합계", "총계", "소계", "계", "총합계", "total")
_AMOUNT = re.compile(r"(?:₩|\\)?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.0{1,2})?원?\Z", re.ASCII)
_DAY = re.compile(r"([0-9]{4})[-./]?([0-9]{2})[-./]?([0-9]{2})(?:\([가-힣]\))?", re.ASCII)
_TIME = re.compile(r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?\Z", re.ASCII)


class BadStatement(ValueError):
    """Why a file is refused. ``rule`` is a fixed word, the rest are its numbers."""

    def __init__(self, rule: str, *, line: int = 0, text: str = "") -> None:
        super().__init__(f"{rule} {line} {text}".strip())
        self.rule, self.line, self.text = rule, line, text[:60]


@dataclass(frozen=True, slots=True)
class Deposit:
    """One line with money coming in. ``twin_of`` is the line of the file that says the same."""

    line: int
    at: datetime
    won: int
    payer: str
    memo: str
    account: str
    content: str
    twin_of: int = 0


def read(raw: bytes, *, now: datetime) -> list[Deposit]:
    """The deposits of a file in its order. ``BadStatement``. Withdrawals are left out."""
    if len(raw) > MOST_BYTES:
        raise BadStatement("too_large", text=str(len(raw)))
    rows = _rows(_text(raw))
    head, columns = _head(rows)
    found = [
        deposit
        for number, row in rows[head:]
        if not _says_nothing(row, columns)
        if (deposit := _deposit(number, row, columns, now)) is not None
    ]
    if not found:
        raise BadStatement("no_deposits")
    return _with_twins(found)


def _text(raw: bytes) -> str:
    """The file's text; refused if it is in no encoding that banks use, or no text at all."""
    if raw[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise BadStatement("a_workbook")
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if any(unicodedata.category(one) == "Cc" and one not in "\t\r\n" for one in text):
            raise BadStatement("no_text")
        if "\ufffd" in text:
            raise BadStatement("broken_text")  # somebody has saved it in a wrong encoding
        return unicodedata.normalize("NFC", text)
    raise BadStatement("encoding")


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """(line of the file, its cells), without empty lines."""
    first = "\n".join(text.splitlines()[:HEAD_WITHIN])
    delimiter = "\t" if first.count("\t") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, [_cell(one) for one in row]) for row in reader]
    except csv.Error as error:
        raise BadStatement("no_csv", line=reader.line_num) from error
    rows = [(number, row) for number, row in rows if any(row)]
    if len(rows) > MOST_LINES:
        raise BadStatement("too_many", text=str(len(rows)))
    return rows


def _cell(text: str) -> str:
    """Without blanks around it; ``="0123"`` is how banks keep Excel from counting."""
    text = text.replace("\xa0", " ").strip()
    return text[2:-1].strip() if text.startswith('="') and text.endswith('"') else text


def _heading(text: str) -> str:
    return re.sub(r"\(.*?\)|\s", "", text).lower()


def _head(rows: Sequence[tuple[int, list[str]]]) -> tuple[int, dict[str, int]]:
    """Where the lines begin, and which column is what."""
    for index, (number, row) in enumerate(rows[:HEAD_WITHIN]):
        columns: dict[str, int] = {}
        for place, cell in enumerate(row):
            name = next((one for one, words in _HEADINGS.items() if _heading(cell) in words), "")
            if name and name in columns:
                raise BadStatement("heading_twice", line=number, text=cell)
            if name:
                columns[name] = place
        if "at" in columns and "deposit" in columns:
            return index + 1, columns
    raise BadStatement("no_headings")


def _says_nothing(row: Sequence[str], columns: dict[str, int]) -> bool:
    """A sum, or a remark below the table: it has no day, and says so."""
    day = _of(row, columns, "at")
    return not _DAY.match(day) and (
        any(_heading(one) in _SUMS for one in row) or not _of(row, columns, "deposit")
    )


def _of(row: Sequence[str], columns: dict[str, int], name: str) -> str:
    place = columns.get(name, -1)
    return row[place] if 0 <= place < len(row) else ""


def _deposit(
    line: int, row: Sequence[str], columns: dict[str, int], now: datetime
) -> Deposit | None:
    of: Callable[[str], str] = lambda name: _of(row, columns, name)  # noqa: E731
    won, out = _won(line, of("deposit")), _won(line, of("withdrawal"))
    if won and out:
        raise BadStatement("both_ways", line=line)
    if not won:
        return None
    at = _moment(line, of("at"), of("time"))
    if at > now:
        raise BadStatement("future", line=line, text=of("at"))
    payer, memo = of("payer")[:100], of("memo")[:200]
    account = re.sub(r"[^0-9]", "", of("account"))[:40]
    said = (at.isoformat(), str(won), payer, memo, account, of("balance").replace(",", ""))
    content = hashlib.sha256("\x1f".join(said).encode()).hexdigest()
    return Deposit(line, at, won, payer, memo, account, content)


def _won(line: int, text: str) -> int:
    """Whole won, 0 for none. Signs, fractions and digits of other scripts are refused."""
    text = text.replace(" ", "")
    if text in {"", "-", "0"}:
        return 0
    found = _AMOUNT.match(text)
    if found is None:
        raise BadStatement("amount", line=line, text=text)
    won = int(found[1].replace(",", "")) if len(found[1]) <= 20 else MOST_WON + 1
    if won > MOST_WON:
        raise BadStatement("amount_too_large", line=line, text=text)
    return won


def _moment(line: int, day: str, time: str) -> datetime:
    """A moment in Korea; midnight where the bank gives the day only."""
    found = _DAY.match(day)
    if found is None:
        raise BadStatement("day", line=line, text=day)
    rest = day[found.end() :].strip() or time.strip() or "00:00"
    clock = _TIME.match(rest)
    if clock is None:
        raise BadStatement("time", line=line, text=rest)
    numbers = [int(one or 0) for one in (*found.groups(), *clock.groups())]
    try:
        return datetime(*numbers, tzinfo=SEOUL)  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise BadStatement("day", line=line, text=day) from error


def _with_twins(found: Sequence[Deposit]) -> list[Deposit]:
    """Lines that say what an earlier one says are marked: one of the two may be a mistake."""
    first: dict[str, int] = {}
    result = []
    for one in found:
        twin = first.setdefault(one.content, one.line)
        result.append(replace(one, twin_of=twin if twin != one.line else 0))
    return result


def counted(found: Sequence[Deposit]) -> Iterator[Deposit]:
    """Twins as deposits of their own: the second of two gets a digest of its own, the same one in
    every file that has both."""
    seen: Counter[str] = Counter()
    for one in found:
        seen[one.content] += 1
        if seen[one.content] > 1:
            digest = hashlib.sha256(f"{one.content}#{seen[one.content]}".encode()).hexdigest()
            yield replace(one, content=digest)
        else:
            yield one
