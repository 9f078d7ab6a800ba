"""Calls of the official ``openai`` for Python, each a line of JSON; ``bench.clients`` runs it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import openai
from openai import OpenAI

URL = os.environ["DURE_CLIENTS_URL"] + "/v1"
KEY = os.environ["DURE_CLIENTS_KEY"]
MODEL = os.environ["DURE_CLIENTS_MODEL"]
CALLER = os.environ["DURE_CLIENTS_CALLER"]
EMBEDDING = os.environ["DURE_CLIENTS_EMBEDDING"]
SPENT = os.environ.get("DURE_CLIENTS_SPENT_KEY", "")
BUSY = os.environ.get("DURE_CLIENTS_BUSY_KEY", "")
CLOSED = os.environ.get("DURE_CLIENTS_CLOSED_KEY", "")

ASK: Any = [{"role": "user", "content": "안녕? Say hello in one word."}]
WEATHER: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
FLAT_TOOLS: Any = [
    {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True},
]
FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "weather", "schema": WEATHER, "strict": True},
}


def client(key: str = KEY, retries: int = 0) -> OpenAI:
    return OpenAI(api_key=key, base_url=URL, max_retries=retries, timeout=120)


def chat(**more: Any) -> Any:
    return client().chat.completions.create(
        **({"model": MODEL, "messages": ASK, "max_tokens": 8} | more)
    )


def chat_whole() -> None:
    answer = chat()
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0
    assert answer.model == MODEL


def chat_async() -> None:
    async def ask() -> Any:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=URL, max_retries=0) as one:
            return await one.chat.completions.create(model=MODEL, messages=ASK, max_tokens=8)

    assert asyncio.run(ask()).choices[0].message.content


def chat_stream() -> None:
    chunks = list(chat(stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].choices[0].finish_reason
    assert all(chunk.usage is None for chunk in chunks)


def chat_stream_usage() -> None:
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.completion_tokens > 0
    assert not chunks[-1].choices


def chat_stream_helper() -> None:
    with client().chat.completions.stream(model=MODEL, messages=ASK, max_tokens=8) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content


def chat_tools() -> None:
    answer = chat(model=CALLER, tools=TOOLS, tool_choice="auto").choices[0].message
    assert answer.tool_calls or answer.content
    for call in answer.tool_calls or ():
        assert call.function.name == "weather"
        json.loads(call.function.arguments)


def chat_tool_result() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    told = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "맑음"},
    ]
    assert chat(model=CALLER, messages=told, tools=TOOLS).choices[0].message.content


def chat_tools_stream() -> None:
    chunks = list(chat(model=CALLER, tools=TOOLS, stream=True))
    said = [c.choices[0].delta for c in chunks if c.choices]
    assert any(delta.content or delta.tool_calls for delta in said)


def chat_json_schema() -> None:
    assert chat(response_format=FORMAT).choices[0].message.content


def chat_json_object() -> None:
    assert chat(response_format={"type": "json_object"}).choices[0].message.content


def completions() -> None:
    answer = client().completions.create(model=MODEL, prompt="Hello", max_tokens=8)
    assert answer.choices[0].text and answer.usage


def completions_stream() -> None:
    stream = client().completions.create(model=MODEL, prompt="Hello", max_tokens=8, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices)


def embeddings_float() -> None:
    answer = client().embeddings.create(
        model=EMBEDDING, input=["가", "나다"], encoding_format="float"
    )
    assert [row.index for row in answer.data] == [0, 1]
    assert all(isinstance(one, float) for one in answer.data[0].embedding)


def embeddings_base64() -> None:
    packed = client().embeddings.create(model=EMBEDDING, input="가")  # its default is base64
    plain = client().embeddings.create(model=EMBEDDING, input="가", encoding_format="float")
    pairs = zip(packed.data[0].embedding, plain.data[0].embedding, strict=True)
    assert all(abs(a - b) < 1e-4 for a, b in pairs)


def responses() -> None:
    answer = client().responses.create(model=MODEL, input="Hello", max_output_tokens=8, store=False)
    assert answer.output_text and answer.usage


def responses_stream() -> None:
    stream = client().responses.create(
        model=MODEL, input="Hello", max_output_tokens=8, store=False, stream=True
    )
    kinds = [event.type for event in stream]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds


def responses_tools() -> None:
    answer = client().responses.create(
        model=CALLER, input="Weather in Daegu?", tools=FLAT_TOOLS, store=False
    )
    assert answer.output
    calls = [item for item in answer.output if item.type == "function_call"]
    assert answer.output_text or calls
    assert all(call.name == "weather" for call in calls)


def responses_stored() -> None:
    with_error(openai.BadRequestError, lambda: client().responses.retrieve("resp_1"), status=False)


def models_list() -> None:
    assert {MODEL, EMBEDDING} <= {model.id for model in client().models.list()}


def models_retrieve() -> None:
    assert client().models.retrieve(MODEL).id == MODEL
    with_error(openai.NotFoundError, lambda: client().models.retrieve("unknown"))


def with_error(kind: type[Exception], ask: Callable[[], Any], *, status: bool = True) -> Any:
    """``ask`` must fail so; the exception. ``status`` false: any 4xx will do."""
    try:
        ask()
    except openai.APIStatusError as error:
        if status:
            assert type(error) is kind, repr(error)
            assert error.code and error.type, repr(error)
        assert 400 <= error.status_code < 500
        return error
    raise AssertionError("it was answered")


def error_401() -> None:
    error = with_error(openai.AuthenticationError, lambda: list(client("dure_x").models.list()))
    assert error.code == "invalid_api_key"


def error_403() -> None:
    error = with_error(openai.PermissionDeniedError, lambda: list(client(CLOSED).models.list()))
    assert error.code == "insufficient_scope"


def error_404() -> None:
    error = with_error(openai.NotFoundError, lambda: chat(model="unknown"))
    assert (error.code, error.param) == ("model_not_found", "model")


def error_400() -> None:
    error = with_error(openai.BadRequestError, lambda: chat(max_tokens=0))
    assert error.param == "max_tokens"
    error = with_error(openai.BadRequestError, lambda: chat(extra_body={"frobnicate": 3}))
    assert (error.code, error.param) == ("unknown_parameter", "frobnicate")


def error_429_budget() -> None:
    """The client does not try again: a budget does not grow in seconds."""
    began = time.monotonic()
    error = with_error(
        openai.RateLimitError,
        lambda: client(SPENT, retries=3).chat.completions.create(model=MODEL, messages=ASK),
    )
    assert (error.code, error.body["budget"]) == ("insufficient_quota", "key_spent")
    assert time.monotonic() - began < 30


def retries_after_429() -> None:
    """A second request of a key that may have one open: the client waits as told and succeeds."""
    stream = client(BUSY).chat.completions.create(
        model="long", messages=ASK, max_tokens=1000, stream=True
    )
    next(iter(stream))
    threading.Timer(0.5, stream.close).start()
    raw = client(BUSY, retries=5).chat.completions.with_raw_response.create(
        model=MODEL, messages=ASK, max_tokens=5
    )
    assert raw.parse().choices[0].message.content
    assert raw.retries_taken > 0


def stream_abort() -> None:
    """Leaving a stream frees the place of its key."""
    for _ in range(3):
        stream = client(BUSY, retries=5).chat.completions.create(
            model="long", messages=ASK, max_tokens=1000, stream=True
        )
        next(iter(stream))
        stream.close()


def headers() -> None:
    raw = client().chat.completions.with_raw_response.create(
        model=MODEL, messages=ASK, max_tokens=5
    )
    assert raw.request_id
    for name in ("x-dure-site", "x-dure-receipt", "x-dure-cost-krw", "x-ratelimit-limit-requests"):
        assert raw.headers[name], name


CALLS: dict[str, Callable[[], None]] = {
    "chat": chat_whole,
    "chat, async": chat_async,
    "chat, stream": chat_stream,
    "chat, stream with usage": chat_stream_usage,
    "chat, stream helper": chat_stream_helper,
    "chat, tools": chat_tools,
    "chat, tool result": chat_tool_result,
    "chat, tools, stream": chat_tools_stream,
    "chat, json schema": chat_json_schema,
    "chat, json object": chat_json_object,
    "completions": completions,
    "completions, stream": completions_stream,
    "embeddings, float": embeddings_float,
    "embeddings, base64": embeddings_base64,
    "responses": responses,
    "responses, stream": responses_stream,
    "responses, tools": responses_tools,
    "responses, stored: refused": responses_stored,
    "models, list": models_list,
    "models, retrieve": models_retrieve,
    "headers": headers,
    "401 → its class": error_401,
    "404 → its class": error_404,
    "400 → its class, field": error_400,
}
WITH_OWN_KEYS: dict[str, Callable[[], None]] = {
    "403 → its class": error_403,
    "429 budget → its class, no retry": error_429_budget,
    "429 → retried as told": retries_after_429,
    "stream left": stream_abort,
}


def main() -> None:
    for name, call in (CALLS | (WITH_OWN_KEYS if SPENT else {})).items():
        try:
            call()
            said = "ok"
        except Exception as error:  # what it is stands in the table
            said = repr(error)[:400]
        print(json.dumps({"call": name, "said": said}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
