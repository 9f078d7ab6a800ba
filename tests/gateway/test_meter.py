"""Token counts out of event streams that arrive in any pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.gateway.meter import EVENT_BYTES, Counts, StreamMeter

DONE = b"data: [DONE]\n\n"
PROMPT_BYTES = 40


def event(delta: Any = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    text = json.dumps({"choices": choices, **more}, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


ROLE = event({"role": "assistant", "content": ""})
WORDS = event({"content": "안녕"}), event({"content": "[DONE]\n\ndata: [DONE]"})
LAST = event({}, "stop")
USAGE = event(usage={"prompt_tokens": 9, "completion_tokens": 2})
ZERO = event(usage={"prompt_tokens": 0, "completion_tokens": 0})
NULLS = event({"content": None, "tool_calls": []}, usage=None)
TOOL = event({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]})
THOUGHT = event({"reasoning_content": "음"})

STREAMS = [
    # events, counts, forwarded before the end
    ([ROLE, *WORDS, LAST, USAGE, DONE], Counts(9, 0, 2, "reported"), [ROLE, *WORDS]),
    ([ROLE, *WORDS, LAST, DONE], Counts(10, 0, 2, "counted"), [ROLE, *WORDS]),
    ([*WORDS, LAST, ZERO, DONE], Counts(0, 0, 0, "reported"), list(WORDS)),
    ([ROLE, LAST, DONE], Counts(0, 0, 0, "none"), [ROLE]),
    ([NULLS, TOOL, THOUGHT, LAST, DONE], Counts(10, 0, 2, "counted"), [NULLS, TOOL, THOUGHT]),
    ([b": warming up\n\n", WORDS[0], LAST, DONE], Counts(10, 0, 1, "counted"), None),
    ([WORDS[0]], Counts(10, 0, 1, "counted"), [WORDS[0]]),
    ([ROLE], Counts(0, 0, 0, "counted"), [ROLE]),
    (
        [
            WORDS[0],
            event(
                {},
                "stop",
                usage={
                    "prompt_tokens": 9,
                    "completion_tokens": 1,
                    "prompt_tokens_details": {"cached_tokens": 900},
                },
            ),
            DONE,
        ],
        Counts(9, 9, 1, "reported"),  # more cached than sent cannot be
        [WORDS[0]],
    ),
    # usage that nobody can believe is no usage
    (
        [*WORDS, LAST, event(usage={"prompt_tokens": -5, "completion_tokens": 10**18}), DONE],
        Counts(10, 0, 2, "counted"),
        list(WORDS),
    ),
]


def fed(content: bytes, size: int) -> tuple[StreamMeter, bytes]:
    meter = StreamMeter()
    out = b"".join(
        meter.feed(content[start : start + size]) for start in range(0, len(content), size)
    )
    return meter, out


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(("events", "counts", "forwarded"), STREAMS)
def test_counts_the_same_in_pieces_of_any_size(
    events: list[bytes], counts: Counts, forwarded: list[bytes] | None, size: int
) -> None:
    meter, out = fed(b"".join(events), size)

    assert meter.counts(PROMPT_BYTES) == counts
    assert meter.broken == ""
    assert meter.done == (events[-1] == DONE)
    if forwarded is not None:
        assert out == b"".join(forwarded)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_reads_carriage_returns_as_well(size: int) -> None:
    content = b"".join([*WORDS, LAST, USAGE, DONE]).replace(b"\n\n", b"\r\n\r\n")

    meter, out = fed(content, size)

    assert meter.done
    assert meter.counts(PROMPT_BYTES) == Counts(9, 0, 2, "reported")
    assert out == b"".join(WORDS).replace(b"\n\n", b"\r\n\r\n")


def test_holds_back_what_makes_it_complete() -> None:
    meter, out = fed(b"".join([WORDS[0], LAST, USAGE, DONE]), 1000)

    assert out == WORDS[0]
    assert meter.held == LAST
    assert meter.usage_event == USAGE


def test_forwards_nothing_after_the_end() -> None:
    meter, out = fed(b"".join([WORDS[0], LAST, DONE, WORDS[1], DONE]), 1000)

    assert out == WORDS[0]
    assert meter.pieces == 1


BROKEN = [
    (b"data: {not json\n\n", "no chunk"),
    (b"data: [1, 2]\n\n", "no chunk"),
    (b'data: {"choices": "all"}\n\n', "no chunk"),
    (b"data: \xff\xfe\n\n", "no chunk"),
    (b'data: {"error": {"message": "boom"}}\n\n', "an error"),
    (b"data: " + b"x" * (EVENT_BYTES + 1), "without an end"),
]


@pytest.mark.parametrize(("content", "because"), BROKEN)
def test_stops_at_what_cannot_be_believed(content: bytes, because: str) -> None:
    meter = StreamMeter()

    out = meter.feed(WORDS[0] + content)

    assert out == WORDS[0]
    assert because in meter.broken
    assert not meter.finished
    assert meter.counts(PROMPT_BYTES) == Counts(10, 0, 1, "counted")


@given(st.lists(st.text(min_size=1), max_size=8), st.data())
def test_loses_and_adds_no_byte(texts: list[str], cuts: st.DataObject) -> None:
    words = [event({"content": text}) for text in texts]
    content = b"".join([*words, LAST, DONE])
    places = sorted(cuts.draw(st.lists(st.integers(0, len(content)), max_size=20)))
    meter = StreamMeter()

    pieces = [content[a:b] for a, b in zip([0, *places], [*places, len(content)], strict=True)]
    out = b"".join(meter.feed(piece) for piece in pieces)

    assert out + meter.held + DONE == content
    assert meter.pieces == len(texts)
