"""Statements of Korean banks, read or refused as a whole."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.payments import bank_files
from billing.payments.bank_files import BadStatement, counted, read
from portal.lib.periods import SEOUL
from tests.factories import NOON

HEAD = "거래일시,적요,보내는분,출금액,입금액,잔액"


def lines(*rows: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *rows]).encode()


ONE = '2026-11-16 09:30:05,타행이체,(주)한빛정밀,0,"1,100,000","9,100,000"'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_reads_each_encoding_that_banks_use(encoding: str) -> None:
    (found,) = read(lines(ONE).decode().encode(encoding), now=NOON)

    assert (found.won, found.payer, found.memo) == (1_100_000, "(주)한빛정밀", "타행이체")
    assert found.at == datetime(2026, 11, 16, 9, 30, 5, tzinfo=SEOUL)
    assert found.line == 2


@pytest.mark.parametrize(
    ("head", "row", "clock"),
    [
        ("거래일자\t거래시간\t내용\t의뢰인\t찾으신금액\t맡기신금액\t거래후잔액",
         "2026.11.16\t0930\t이체\t한빛\t\t5,000\t5,000", (9, 30, 0)),
        ("No,거래일시,적요,입금액(원),출금액(원)", "1,20261116093001,한빛,\"5,000\",0", (9, 30, 1)),
        ("일자,입금,보낸분/받는분", '="2026-11-16",5000원,한빛', (0, 0, 0)),
        ("거래일,시간,입금금액,입금자명", "2026/11/16(월),09:30:07,₩5000.00,한빛", (9, 30, 7)),
        (" DATE ,Time,Memo,Deposit,Withdrawal", "2026-11-16,11:59,한빛,\xa05 000.0,-", (11, 59, 0)),
    ],
)  # fmt: skip
def test_knows_the_headings_of_many_banks(head: str, row: str, clock: tuple[int, int, int]) -> None:
    (found,) = read(lines(row, head=head), now=NOON)

    assert found.won == 5_000 and "한빛" in found.payer + found.memo
    assert found.at == datetime(2026, 11, 16, *clock, tzinfo=SEOUL)


def test_reads_what_other_systems_have_written() -> None:
    """Lines end as on Windows, letters are taken apart as on a Mac, the last cells are missing."""
    raw = lines("2026-11-16 12:00:00,이체,한빛,,5").replace(b"\n", b"\r\n").decode()

    (found,) = read(unicodedata.normalize("NFD", raw).encode(), now=NOON)

    assert (found.at, found.payer, found.won) == (NOON, "한빛", 5)


def test_looks_past_the_account_above_and_the_sum_below() -> None:
    raw = "\n".join(["계좌번호 : 123-456", "조회기간,2026-11-01 ~ 2026-11-16", "", HEAD, ONE,
                     "합계,,,0,\"1,100,000\",", "끝,,,0,,"]).encode()  # fmt: skip

    assert [one.won for one in read(raw, now=NOON)] == [1_100_000]


def test_who_is_called_like_a_sum_has_paid_all_the_same() -> None:
    assert [one.won for one in read(lines("2026-11-16,a,합계,0,5,0"), now=NOON)] == [5]


@pytest.mark.parametrize(("above", "is_read"), [(29, True), (30, False)])
def test_looks_for_headings_in_the_first_lines(above: int, is_read: bool) -> None:
    raw = "한강은행\n".encode() * above + lines(ONE)

    if is_read:
        assert len(read(raw, now=NOON)) == 1
    else:
        with pytest.raises(BadStatement, match="no_headings"):
            read(raw, now=NOON)


def test_reads_as_much_as_it_may() -> None:
    """As much as the refusals say: 2 MB, 5,000 lines, a trillion won."""
    bounds = (bank_files.MOST_BYTES, bank_files.MOST_LINES, bank_files.MOST_WON)
    assert bounds == (2 * 1024 * 1024, 5_000, 10**12)
    long = f"2026-11-16,{'m' * 300},{'p' * 300},0,{bank_files.MOST_WON},0,{'1-' * 50}"
    more = ["2026-11-16,a,b,0,5,0"] * (bank_files.MOST_LINES - 2)

    found = read(lines(long, *more, head=f"{HEAD},가상계좌"), now=NOON)

    assert len(found) == bank_files.MOST_LINES - 1
    cut = (len(found[0].memo), len(found[0].payer), found[0].account)
    assert cut == (200, 100, "1" * 40)


def test_leaves_withdrawals_out() -> None:
    out = "2026-11-16 10:00:00,급여,직원,500000,0,8600000"

    assert len(read(lines(ONE, out), now=NOON)) == 1


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "no_headings"),
        (b"PK\x03\x04rest", "a_workbook"),
        (b"\xd0\xcf\x11\xe0rest", "a_workbook"),
        (lines(ONE).decode().encode("utf-16"), "encoding"),
        (lines(ONE).decode().encode("johab"), "encoding"),
        (b"\xff\xfe\x00", "encoding"),
        (lines(ONE.replace("한", "\ufffd")), "broken_text"),
        (lines(ONE.replace("한", "\x07")), "no_text"),
        (lines(ONE, head="적요,보내는분"), "no_headings"),
        (lines(ONE, head=HEAD + ",입금"), "heading_twice"),
        (lines("2026-11-16,a,b,0,0,0"), "no_deposits"),
        (lines("2026-11-16,a,b,5,5,0"), "both_ways"),
        (lines("2026-11-17 00:00:00,a,b,0,5,0"), "future"),
        (lines("2026-02-30,a,b,0,5,0"), "day"),
        (lines("어제,a,b,0,5,0"), "day"),
        (lines("2026-11-16 25:00,a,b,0,5,0"), "day"),
        (lines("2026-11-16 noon,a,b,0,5,0"), "time"),
        (lines("2026-11-16,a,b,0,-5,0"), "amount"),
        (lines("2026-11-16,a,b,0,5.5,0"), "amount"),
        (lines("2026-11-16,a,b,0,1e3,0"), "amount"),
        (lines("2026-11-16,a,b,0,１０００,0"), "amount"),
        (lines('2026-11-16,a,b,0,"1,00",0'), "amount"),
        (lines("2026-11-16,a,b,0,5.000,0"), "amount"),
        (lines("2026-11-16,a,b,0,+5,0"), "amount"),
        (lines(f"2026-11-16,a,b,0,{bank_files.MOST_WON + 1},0"), "amount_too_large"),
        (lines(f"2026-11-16,a,b,0,{10**18},0"), "amount_too_large"),
        (lines(f"2026-11-16,a,b,0,{'9' * 5000},0"), "amount_too_large"),
        (lines('2026-11-16,"a'), "no_csv"),
        (b"x" * bank_files.MOST_BYTES, "no_csv"),
        (b"x" * (bank_files.MOST_BYTES + 1), "too_large"),
        (lines(*["2026-11-16,a,b,0,5,0"] * 5000), "too_many"),
        (lines("합계,a,b,0,,0", "소계만,a,b,0,5,0"), "day"),
    ],
)
def test_refuses_the_whole_file_with_the_rule(raw: bytes, rule: str) -> None:
    with pytest.raises(BadStatement) as error:
        read(raw, now=NOON)

    assert error.value.rule == rule


def test_names_the_line_that_is_wrong() -> None:
    with pytest.raises(BadStatement) as error:
        read(lines(ONE, f"2026-11-16,a,b,0,{'x' * 99},0"), now=NOON)

    assert (error.value.line, error.value.text) == (3, "x" * 60)


def test_marks_lines_that_say_the_same() -> None:
    other = ONE.replace("9,100,000", "9,200,000")

    found = read(lines(ONE, other, ONE), now=NOON)

    assert [one.twin_of for one in found] == [0, 0, 2]
    assert len({one.content for one in counted(found)}) == 3


def test_twins_have_the_same_digests_in_every_file() -> None:
    two, three = read(lines(ONE, ONE), now=NOON), read(lines(ONE, ONE, ONE), now=NOON)

    assert [one.content for one in counted(two)] == [one.content for one in counted(three)][:2]


@pytest.mark.parametrize(
    "other",
    ["09:30:06", "1,100,001", "(주)한빛정말", "당행이체", "9,100,001"],
    ids=["moment", "amount", "payer", "memo", "balance"],
)
def test_the_digest_knows_all_that_a_line_says(other: str) -> None:
    words = ["09:30:05", "1,100,000", "(주)한빛정밀", "타행이체", "9,100,000"]
    (nearest,) = (one for one in words if sum(map(str.__eq__, one, other)) == len(one) - 1)

    (first,) = read(lines(ONE), now=NOON)
    (second,) = read(lines(ONE.replace(nearest, other)), now=NOON)
    (plain,) = read(lines(ONE.replace("9,100,000", "9100000")), now=NOON)

    assert first.content == plain.content != second.content


def test_the_digest_knows_neither_the_encoding_nor_the_place() -> None:
    (first,) = read(lines(ONE).decode().encode("cp949"), now=NOON)
    (second,) = read(b"\n\n" + lines(ONE), now=NOON)

    assert first.content == second.content


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_reads_or_refuses_anything(raw: bytes) -> None:
    for whole in (raw, lines(ONE) + b"\n" + raw):
        try:
            found = read(whole, now=datetime(2027, 1, 1, tzinfo=UTC))
        except BadStatement:
            continue
        assert all(0 < one.won <= bank_files.MOST_WON for one in found)
