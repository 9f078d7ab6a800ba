"""Chunks told as events, without a socket: whatever the pieces, the same events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.gateway import responses
from portal.gateway.errors import Problem
from portal.gateway.meter import Counts, StreamMeter
from portal.gateway.responses_stream import ResponseStream
from portal.gateway.served import Served, Stamp

STAMP = Stamp("req", 7)
SERVED = Served(
    stamp=STAMP,
    counts=Counts(3, 1, 2, "reported"),
    cost_micro=5,
    site="daegu-1",
    chip="rngd",
    simulated=False,
)
CUT = Problem(502, "stream_interrupted", "The answer ends here.")


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


def call(index: int, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **more}]}


def stream() -> ResponseStream:
    return responses.read(b'{"model":"m","input":"x","stream":true}').translation(STAMP)


def read(told: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in told.split(b"\n") if line.startswith(b"data: ")]


def whole(content: bytes, size: int = 1000) -> list[dict[str, Any]]:
    """What a client gets of a stream that comes in pieces of ``size`` bytes."""
    meter, translation, told = StreamMeter(), stream(), b""
    for start in range(0, len(content), size):
        told += translation.feed(meter.feed(content[start : start + size]))
    translation.hold(meter.held)
    return read(told + translation.finish(SERVED))


ANSWER = b"".join(
    (
        b": waiting\n\n",
        chunk(role="assistant", content=None),
        chunk(reasoning="흠"),
        chunk(content="안녕"),
        chunk(content="!"),
        chunk(**call(0, id="c0", type="function", function={"name": "f", "arguments": ""})),
        chunk(**call(0, function={"name": "f", "arguments": '{"a'})),
        chunk(**call(0, function={"arguments": '":1}'})),
        chunk(**call(1, function={"name": "g", "arguments": "{}"})),
        chunk("tool_calls"),
        b"data: [DONE]\n\n",
    )
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_tells_the_same_whatever_the_pieces(size: int) -> None:
    found = whole(ANSWER, size)

    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    output = found[-1]["response"]["output"]
    assert [item["type"] for item in output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert output[1]["content"][0]["text"] == "안녕!"
    assert [(c["name"], c["arguments"]) for c in output[2:]] == [("f", '{"a":1}'), ("g", "{}")]
    assert [c["call_id"] for c in output[2:]] == ["c0", "fc_req_3"]
    assert [one["item"] for one in found if one["type"].endswith("item.done")] == output
    assert [item["id"] for item in output] == ["rs_req_0", "msg_req_1", "fc_req_2", "fc_req_3"]


def test_keeps_back_what_the_finishing_chunk_says() -> None:
    meter, translation = StreamMeter(), stream()

    early = translation.feed(meter.feed(chunk(content="a") + chunk("stop", content="b")))
    translation.hold(meter.held)
    late = read(translation.finish(SERVED))

    assert b'"delta":"a"' in early
    assert b'"delta":"b"' not in early
    assert late[0]["delta"] == "b"
    assert late[-1]["response"]["output"][0]["content"][0]["text"] == "ab"


def test_drops_what_was_kept_back_when_it_is_cut() -> None:
    translation = stream()
    early = read(translation.feed(chunk(content="a")))
    translation.hold(chunk("stop", content="b"))

    late = read(translation.error(CUT))

    assert [one["type"] for one in late] == ["error", "response.failed"]
    assert late[0]["sequence_number"] == early[-1]["sequence_number"] + 1
    assert late[0]["code"] == "stream_interrupted"


def test_says_nothing_in_a_message_of_its_own() -> None:
    found = whole(chunk("stop"))

    assert [one["type"] for one in found[:3]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    assert found[-1]["type"] == "response.completed"
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == ""


@pytest.mark.parametrize(
    "told",
    [
        b"data: [1]\n\n",
        b'data: {"choices":[{"delta":{"content":7}}]}\n\n',
        chunk(**call(0, function={"arguments": "{}"})),
        chunk(**{"tool_calls": [{"function": {"name": "f"}}]}),
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    ],
)
def test_refuses_what_is_no_chunk_of_a_chat(told: bytes) -> None:
    with pytest.raises(ValueError):
        stream().feed(told)


def test_keeps_no_more_than_an_answer_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.gateway.responses_stream.ANSWER_CHARACTERS", 5)
    translation = stream()
    translation.feed(chunk(content="12345"))

    with pytest.raises(ValueError, match="more than an answer"):
        translation.feed(chunk(content="6"))
