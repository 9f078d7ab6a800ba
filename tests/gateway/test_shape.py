"""A meter that passes over what chunks have in common says what one says that decodes each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.gateway import meter, shape
from portal.gateway.meter import PATIENCE, StreamMeter

TEXTS = ["안녕", "a", " ", "\n", '"', "\\", "\u0007", "data: x", '","content":"', "", "null", "}"]


def chunk(text: object, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return line({"id": "a", "created": 1, "choices": [choice | more.pop("choice", {})], **more})


def line(body: object, *, ascii_only: bool = False) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=ascii_only)}\n\n".encode()


texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=4))
bodies = st.builds(
    lambda text, more: {
        "choices": [{"delta": {"content": text}, "finish_reason": None}],
        **more,
    },
    texts,
    st.sampled_from(
        [{}, {"created": 1}, {"note": "a"}, {"usage": None}, {"usage": {"prompt_tokens": 3}}]
    ),
)
events = st.one_of(
    st.builds(line, bodies, ascii_only=st.booleans()),
    st.builds(line, bodies, ascii_only=st.booleans()).map(lambda one: one.replace(b" ", b"")),
    st.sampled_from(
        [
            b": comment\n\n",
            b"data: [DONE]\n\n",
            b"data: {\n\n",
            b'data: {"error":{"message":"x"}}\n\n',
            b'data: {"choices":[{"text":"x"}]}\n\n',
            b'data: {"choices":[{"text":"y"}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"x","content":"y"}}]}\n\n',
            b'data: {"choices":[{"delta":{"content":["y"]}}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"y"}},{"delta":{"content":"y"}}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"y"},"finish_reason":"stop"}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"y"}}]}\r\n\r\n',
            b'event: x\ndata: {"choices":[{"delta":{"content":"y"}}]}\n\n',
        ]
    ),
)
streams = st.tuples(
    st.lists(
        st.one_of(events, st.sampled_from([chunk("a"), chunk("b"), chunk("안")])), max_size=14
    ),
    st.lists(st.integers(1, 120), min_size=1, max_size=5),
)


def pieces_of(content: bytes, sizes: list[int]) -> list[bytes]:
    found, place, turn = [], 0, 0
    while place < len(content):
        size = sizes[turn % len(sizes)]
        found.append(content[place : place + size])
        place, turn = place + size, turn + 1
    return found


def said(one: StreamMeter, passed: bytes) -> tuple[object, ...]:
    return passed, one.pieces, one.usage, one.usage_event, one.held, one.done, one.broken


@given(streams)
def test_says_what_one_says_that_decodes_each(stream: tuple[list[bytes], list[int]]) -> None:
    content, sizes = b"".join(stream[0]), stream[1]
    for pieces in (stream[0], pieces_of(content, sizes)):
        quick, plain = StreamMeter(), StreamMeter()
        plain._patience = 0
        for piece in pieces:
            assert quick.feed(piece) == plain.feed(piece)
            assert said(quick, b"") == said(plain, b"")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was decoded."""
    found: list[bytes] = []
    real = meter._decoder

    class Counting:
        def decode(self, text: bytes) -> object:
            found.append(text)
            return real.decode(text)

    monkeypatch.setattr(meter, "_decoder", Counting())
    return found


def test_decodes_one_chunk_of_many(decoded: list[bytes]) -> None:
    one = StreamMeter()

    for number in range(1000):
        one.feed(chunk(f"단어{number}\n"))

    assert one.pieces == 1000
    assert len(decoded) == 1 + len(shape._PROBES)


def test_knows_chunks_that_come_together(decoded: list[bytes]) -> None:
    one = StreamMeter()
    one.feed(chunk("a"))
    known = len(decoded)

    assert one.feed(chunk("b") + chunk("c") + chunk("d")[:9]) == chunk("b") + chunk("c")
    assert one.feed(chunk("d")[9:]) == chunk("d")
    assert (one.pieces, len(decoded)) == (4, known)


def test_an_engine_whose_chunks_all_differ_costs_one_decoding_each(decoded: list[bytes]) -> None:
    one = StreamMeter()

    for number in range(1000):
        one.feed(chunk("a", number=number))

    assert len(decoded) == 1000 + PATIENCE * len(shape._PROBES)


def test_goes_on_where_something_changes_now_and_then(decoded: list[bytes]) -> None:
    """llama.cpp writes the second into each chunk."""
    one = StreamMeter()

    for number in range(1000):
        one.feed(chunk("a", created=number // 50))

    assert one.pieces == 1000
    assert len(decoded) == 20 * (1 + len(shape._PROBES))


@pytest.mark.parametrize(
    "ends",
    [
        chunk("a", choice={"finish_reason": "stop"}),
        chunk("a", usage={"prompt_tokens": 3, "completion_tokens": 9}),
        chunk("a", error={"message": "x"}),
        chunk(""),
        b"data: [DONE]\n\n",
        b'data: {"choices":[{"delta":{"content":"a\n"}}]}\n\n',
    ],
)
def test_sees_what_is_no_mere_text(ends: bytes) -> None:
    quick, plain = StreamMeter(), StreamMeter()
    plain._patience = 0
    for piece in (chunk("a"), chunk("b"), ends, chunk("c")):
        assert quick.feed(piece) == plain.feed(piece)

    assert said(quick, b"") == said(plain, b"")
