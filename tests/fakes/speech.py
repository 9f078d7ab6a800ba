"""What the little engine says: answers and streams, by the mood that it is in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

WORDS = ("안녕", "하세요", ", ", "두레", "입니다", ".")
THOUGHTS = ("생각", "해 보면")
PROMPT_TOKENS = 11


def _usage(mood: str, out: int) -> dict[str, Any] | None:
    if mood == "no-usage":
        return None
    if mood == "zero":
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": out,
        "total_tokens": PROMPT_TOKENS + out,
        "prompt_tokens_details": {"cached_tokens": 4},
    }


def words(body: dict[str, Any], mood: str = "ok") -> list[str]:
    """The words of an answer: as many as were asked for, at most six unless it goes on."""
    most = body["max_tokens"]
    count = most if mood in ("long", "bench") else min(most, len(WORDS))
    return [WORDS[number % len(WORDS)] for number in range(count)]


def completion(body: dict[str, Any], mood: str) -> dict[str, Any]:
    if mood == "garbage":
        return {"garbage": True}
    said = words(body, mood)
    answer: dict[str, Any] = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", **_said(body, mood)},
                "finish_reason": _finish(body, mood),
            }
        ],
    }
    usage = _usage(mood, len(said))
    return answer if usage is None else answer | {"usage": usage}


def _calls(body: dict[str, Any], mood: str) -> list[dict[str, Any]]:
    """One call of each function that was offered; none once a result is there."""
    if mood != "tools" or body["messages"][-1]["role"] == "tool":
        return []
    return [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": offer["function"]["name"], "arguments": '{"city": "대구"}'},
        }
        for number, offer in enumerate(body.get("tools", []))
    ]


def _said(body: dict[str, Any], mood: str) -> dict[str, Any]:
    calls = _calls(body, mood)
    if calls:
        return {"content": None, "tool_calls": calls}
    thought = {"reasoning_content": "".join(THOUGHTS)} if mood == "reasons" else {}
    return {"content": "".join(words(body, mood)), **thought}


def _finish(body: dict[str, Any], mood: str) -> str:
    if mood == "short":
        return "length"
    return "tool_calls" if "messages" in body and _calls(body, mood) else "stop"


def _call_deltas(calls: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """As engines stream calls: name first, arguments in pieces."""
    for number, call in enumerate(calls):
        function = call["function"]
        start = {**call, "index": number, "function": {"name": function["name"], "arguments": ""}}
        yield {"tool_calls": [start]}
        for piece in (function["arguments"][:5], function["arguments"][5:]):
            yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


def events(body: dict[str, Any], mood: str) -> Iterable[bytes]:
    said = words(body, mood)
    if mood == "garbage":
        yield b"data: {not json\n\n"
        return
    if mood == "odd":
        yield b'data: {"choices":[{"delta":{"tool_calls":[{"index":"x"}]}}]}\n\n'
        return
    yield _event(body, {"role": "assistant", "content": ""})
    calls = _calls(body, mood)
    for delta in _call_deltas(calls):
        yield _event(body, delta)
    for thought in THOUGHTS if mood == "reasons" else ():
        yield _event(body, {"reasoning_content": thought})
    for number, word in enumerate(() if calls else said):
        if mood == "error-event" and number == 2:
            yield b'data: {"error":{"message":"CUDA out of memory at 0x7f"}}\n\n'
            return
        yield _event(body, {"content": word})
    yield _event(body, {}, _finish(body, mood))
    usage = _usage(mood, len(said))
    if usage is not None and (body.get("stream_options") or {}).get("include_usage"):
        last = {"object": "chat.completion.chunk", "choices": [], "usage": usage}
        yield b"data: " + json.dumps(last).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _event(body: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    text = json.dumps(chunk, ensure_ascii=False, separators=(",", ":"))
    return b"data: " + text.encode() + b"\n\n"


def text(body: dict[str, Any], mood: str) -> dict[str, Any]:
    if mood == "garbage":
        return {"garbage": True}
    said = words(body, mood)
    told = (body["prompt"] if body.get("echo") else "") + "".join(said)
    answer = _text_chunk(body, told, _finish(body, mood)) | {"id": "cmpl-fake"}
    usage = _usage(mood, len(said))
    return answer if usage is None else answer | {"usage": usage}


def texts(body: dict[str, Any], mood: str) -> Iterable[bytes]:
    """As llama.cpp does it: the usage stands in the finishing chunk."""
    said = words(body, mood)
    if mood == "garbage":
        yield b"data: {not json\n\n"
        return
    for word in said:
        yield _line(_text_chunk(body, word, None))
    usage = _usage(mood, len(said))
    last = _text_chunk(body, "", _finish(body, mood))
    yield _line(last if usage is None else last | {"usage": usage})
    yield b"data: [DONE]\n\n"


def _text_chunk(body: dict[str, Any], text: str, finish: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": "text_completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}],
    }


def _line(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def _rerank(body: dict[str, Any], mood: str) -> dict[str, Any]:
    """The longer the document, the better it answers; the worst comes first."""
    rows = [
        {"index": n, "relevance_score": len(text) / 100, "document": {"text": text}}
        for n, text in enumerate(body["documents"])
    ]
    if mood == "garbage":
        rows = rows[1:] + rows[1:2]
    read = 3 * len(rows) + 2
    usage = {"prompt_tokens": read, "total_tokens": read}
    if mood == "total-only":
        del usage["prompt_tokens"]
    answer = {"id": "score-fake", "model": body["model"], "results": rows}
    return answer if mood == "no-usage" else answer | {"usage": usage}


def _embeddings(body: dict[str, Any], mood: str) -> dict[str, Any]:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    if body.get("encoding_format", "float") != "float":
        return {"error": {"message": "only float"}}
    rows = [
        {"object": "embedding", "index": n, "embedding": [0.5, -0.25, float(len(text))]}
        for n, text in enumerate(texts)
    ]
    return {
        "object": "list",
        "model": body["model"],
        "data": rows,
        "usage": {"prompt_tokens": 3 * len(rows), "total_tokens": 3 * len(rows)},
    }


VECTORS: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "/v1/embeddings": _embeddings,
    "/v1/rerank": _rerank,
}
