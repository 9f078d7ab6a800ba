"""Lines out of pieces: what is found does not depend on how the bytes come."""

from __future__ import annotations

from typing import Any

import pytest

from portal.jobs.reading import LINE_BYTES, MOST_LINES, Line, Reader, body_of
from tests.jobs.conftest import a_file, a_line

EMBED = {"url": "/v1/embeddings", "body": {"model": "e5", "input": "안녕"}}


def read(content: bytes, piece: int = 1 << 20, **changes: Any) -> tuple[Reader, list[Line]]:
    reader = Reader(**changes)
    found = []
    for start in range(0, len(content), piece):
        found += reader.feed(content[start : start + piece])
    return reader, found + list(reader.close())


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
def test_finds_the_same_lines_in_all_pieces(piece: int, begin: bytes) -> None:
    broken = b'{"custom_id": "x"'
    content = begin + a_file(a_line(1), b"", broken, a_line(4, custom_id="가나"))[:-1]

    reader, lines = read(content, piece)

    assert [(one.number, one.custom_id) for one in lines] == [(1, "line-1"), (4, "가나")]
    assert [(one.code, one.line) for one in reader.faults] == [("invalid_json_line", 3)]
    assert (reader.count, reader.size) == (3, len(content))
    for one in lines:
        text = content[one.offset : one.offset + one.length]
        assert b'"messages"' in body_of(text)
        assert len(body_of(text)) == one.body_bytes


BROKEN: dict[str, tuple[Any, str]] = {
    "no JSON": (b"hello", "invalid_json_line"),
    "a list": (b"[1]", "invalid_json_line"),
    "two objects": (b"{}{}", "invalid_json_line"),
    "no UTF-8": (b'{"custom_id": "\xff"}', "invalid_json_line"),
    "deep": (b"[" * 100_000, "invalid_json_line"),
    "no body": ({"custom_id": "a", "method": "POST", "url": "/v1/embeddings"}, "invalid_json_line"),
    "no model": (a_line(2, body={}), "invalid_json_line"),
    "a number for a name": (a_line(2, custom_id=7), "invalid_json_line"),
    "an empty name": (a_line(2, custom_id=""), "invalid_custom_id"),
    "a long name": (a_line(2, custom_id="x" * 129), "invalid_custom_id"),
    "the name of another": (a_line(1), "duplicate_custom_id"),
    "GET": (a_line(2, method="GET"), "invalid_method"),
    "another address": (a_line(2, url="/v1/files"), "invalid_url"),
    "a stream": (a_line(2, body={"model": "smollm2", "stream": True}), "unsupported_parameter"),
    "no tokens": (a_line(2, body={"model": "smollm2", "max_tokens": 0}), "invalid_value"),
    "an unknown model": (a_line(2, body={"model": "gpt-9"}), "model_not_found"),
    "a model of another kind": (
        a_line(2, **EMBED | {"body": {"model": "smollm2"}}),
        "wrong_kind_of_model",
    ),
    "too long": (b'{"x": "' + b"x" * LINE_BYTES + b'"}', "line_too_long"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("piece", [1 << 16, 1 << 22])
def test_names_the_line_that_cannot_be_run(case: str, piece: int) -> None:
    line, code = BROKEN[case]

    reader, lines = read(
        a_file(a_line(1), line, a_line(3)), piece, allowed={"smollm2": "chat", "e5": "embedding"}
    )

    assert [(one.code, one.line) for one in reader.faults] == [(code, 2)]
    assert [one.number for one in lines] == [1, 3]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n \n", "empty_file"),
        (a_file(a_line(1), a_line(2, **EMBED)), "mismatched_url"),
    ],
)
def test_refuses_files_that_are_no_job(content: bytes, code: str) -> None:
    reader, _ = read(content)

    assert [one.code for one in reader.faults] == [code]


def test_takes_so_many_lines_and_no_more() -> None:
    text = a_file(*(a_line(number) for number in range(MOST_LINES + 2)))

    reader, lines = read(text)

    assert len(lines) == MOST_LINES
    assert [(one.code, one.line) for one in reader.faults] == [("too_many_lines", MOST_LINES + 1)]


def test_tells_some_faults_and_counts_all() -> None:
    reader, _ = read(b"x\n" * 1000)

    assert (len(reader.faults), reader.fault_count) == (20, 1000)
