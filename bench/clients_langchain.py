"""Calls of LangChain's OpenAI classes; a line of JSON for each. Run by ``bench.clients`` with the
Python of an environment that has them: nothing of ours is imported here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

URL = os.environ["DURE_CLIENTS_URL"] + "/v1"
KEY = os.environ["DURE_CLIENTS_KEY"]
MODEL = os.environ["DURE_CLIENTS_MODEL"]
CALLER = os.environ["DURE_CLIENTS_CALLER"]
EMBEDDING = os.environ["DURE_CLIENTS_EMBEDDING"]


def chat(model: str = MODEL, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=model, api_key=KEY, base_url=URL, max_retries=0, max_tokens=20, timeout=120, **more
    )


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: 맑음"


FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "weather",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def invoke() -> None:
    answer = chat().invoke("안녕?")
    assert answer.content
    assert answer.usage_metadata["output_tokens"] > 0


def stream() -> None:
    chunks = list(chat(stream_usage=True).stream("안녕?"))
    assert "".join(str(chunk.content) for chunk in chunks)
    assert any(chunk.usage_metadata for chunk in chunks)


def tools() -> None:
    answer = chat(CALLER).bind_tools([weather]).invoke("Weather in Daegu?")
    assert answer.tool_calls or answer.content
    for call in answer.tool_calls:
        assert call["name"] == "weather"
        weather.invoke(call)


def structured() -> None:
    """The schema is sent; whether the model keeps to it is the engine's."""
    assert chat().bind(response_format=FORMAT).invoke("Weather in Daegu?").content


def batch() -> None:
    assert all(answer.content for answer in chat().batch(["a", "b", "c"]))


def responses() -> None:
    answer = chat(use_responses_api=True, store=False).invoke("안녕?")
    assert answer.text


def embeddings(**more: Any) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(model=EMBEDDING, api_key=KEY, base_url=URL, max_retries=0, **more)


def embed_texts() -> None:
    """Texts as they are: what these embed is no model of OpenAI, whose tokens it would send."""
    found = embeddings(check_embedding_ctx_length=False).embed_documents(["가", "나다"])
    assert len(found) == 2 and len(found[0]) == len(found[1])


def embed_query() -> None:
    assert embeddings(check_embedding_ctx_length=False).embed_query("가")


def errors() -> None:
    import openai

    try:
        chat("unknown").invoke("x")
    except openai.NotFoundError:
        return
    raise AssertionError("it was answered")


CALLS: dict[str, Callable[[], None]] = {
    "chat": invoke,
    "chat, stream with usage": stream,
    "chat, tools": tools,
    "chat, json schema": structured,
    "chat, batch": batch,
    "embeddings, base64": embed_texts,
    "embeddings, one query": embed_query,
    "responses": responses,
    "404 → its class": errors,
}


def main() -> None:
    for name, call in CALLS.items():
        try:
            call()
            said = "ok"
        except Exception as error:  # what it is stands in the table
            said = repr(error)[:400]
        print(json.dumps({"call": name, "said": said}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
