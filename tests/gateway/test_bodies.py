"""What is refused before any money moves, and which field is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.gateway import bodies, chat, embeddings
from portal.gateway.errors import Problem

USER = {"role": "user", "content": "hi"}
DEEP = json.loads("[" * 70 + "]" * 70)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def tool(**parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


def image(url: str) -> list[dict[str, Any]]:
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": parts}]


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": 1.0}, "max_tokens"),
    ({"max_tokens": "5"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": 2**63}, "max_tokens"),
    ({"max_tokens": 10**400}, "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
    ({"n": 0}, "n"),
    ({"n": 2}, "n"),
    ({"n": 129}, "n"),
    ({"n": 10**9}, "n"),
    ({"model": ""}, "model"),
    ({"model": "x" * 257}, "model"),
    ({"model": 7}, "model"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"stop": ""}, "stop"),
    ({"stop": [""]}, "stop[0]"),
    ({"stop": "x" * 1_000_000}, "stop"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "x", "secret": 1}]}, "messages[0].secret"),
    ({"messages": [{"role": "assistant"}]}, "messages[0].content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": "hi"}, "messages"),
    ({"messages": image("http://169.254.169.254/latest")}, "messages[0].content[0]"),
    ({"messages": image("file:///etc/passwd")}, "messages[0].content[0]"),
    ({"tools": [TOOL] * 129}, "tools"),
    ({"tools": [tool(**{"$ref": "#"})]}, "tools[0].function.parameters"),
    (
        {"tools": [tool(**{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})]},
        "tools[0].function.parameters",
    ),
    ({"tools": [tool(**{"$ref": "http://evil/"})]}, "tools[0].function.parameters"),
    ({"tools": [tool(deep=DEEP)]}, "tools[0].function.parameters"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"chat_template_kwargs": {}}, "chat_template_kwargs"),
    ({"guided_decoding_backend": "x"}, "guided_decoding_backend"),
    ({"logprobs": 10**6}, "logprobs"),
    ({"top_logprobs": 10**6, "logprobs": True}, "top_logprobs"),
    ({"top_logprobs": 5}, "top_logprobs"),
    ({"stream": "true"}, "stream"),
    ({"Stream": True}, "Stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
    (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        "stream_options.include_obfuscation",
    ),
    ({"messages": [{"role": "assistant", "tool_calls": []}]}, "messages[0].content"),
    (
        {"messages": [{"role": "assistant", "content": "x", "function_call": {}}]},
        "messages[0].function_call",
    ),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": -0.1}, "top_p"),
    ({"presence_penalty": 3}, "presence_penalty"),
    ({"logit_bias": {"1": 101}}, "logit_bias[...]"),
    ({"seed": 2**64}, "seed"),
    ({"user": "x" * 65}, "user"),
    ({"store": True}, "store"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
    ({"metadata": {"a": "x" * 513}}, "metadata[...]"),
    ({"metadata": {"a": 1}}, "metadata[...]"),
    ({"safety_identifier": "x" * 129}, "safety_identifier"),
    ({"prediction": {"type": "content"}}, "prediction"),
    ({"functions": []}, "functions"),
    ({"function_call": "auto"}, "function_call"),
    ({"audio": {}}, "audio"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"verbosity": "low"}, "verbosity"),
    ({"reasoning_effort": "extreme"}, "reasoning_effort"),
    ({"response_format": {"type": "json_schema"}}, "response_format"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ({"unknown": 1}, "unknown"),
    ({"extra_body": DEEP}, "extra_body"),
]


@pytest.mark.parametrize(("change", "param"), WRONG_FIELDS)
def test_names_the_field_of_a_chat(change: dict[str, Any], param: str) -> None:
    body = {"model": "m", "messages": [USER], **change}

    with pytest.raises(Problem) as found:
        chat.read(json.dumps(body).encode())

    assert (found.value.status, found.value.param) == (400, param)


def test_says_why_a_field_of_openai_is_refused() -> None:
    body = {"model": "m", "messages": [USER], "store": True}

    with pytest.raises(Problem) as found:
        chat.read(json.dumps(body).encode())

    assert found.value.code == "unsupported_parameter"
    assert "nothing is kept here between requests" in found.value.message


def test_notes_the_fields_that_not_every_engine_knows() -> None:
    body = {"model": "m", "messages": [USER], "top_k": 5, "reasoning_effort": "low"}

    assert chat.read(json.dumps(body).encode()).optional == ("top_k", "reasoning_effort")


MALFORMED = [
    b"",
    b"[]",
    b"null",
    b'{"model":"m"',
    b'\xef\xbb\xbf{"model":"m","messages":[{"role":"user","content":"x"}]}',
    '{"model":"m"}'.encode("utf-16"),
    b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
    b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":NaN}',
    b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1e999}',
    b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":Infinity}',
    b'{"model":"m","messages":[{"role":"user","content":"x"}]} {}',
    b'{"model":"m","messages":[{"role":"user","content":"a\nb"}]}',
    b'{"tools":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function",'
    b'"function":{"name":"f","parameters":{"a":' + b"[" * 900 + b"]" * 900 + b"}}}]}",
]


@pytest.mark.parametrize("content", MALFORMED, ids=range(len(MALFORMED)))
def test_refuses_what_is_no_request(content: bytes) -> None:
    with pytest.raises(Problem) as found:
        chat.read(content)

    assert found.value.status == 400


WRONG_INPUTS: list[tuple[dict[str, Any], str]] = [
    ({"input": ""}, "input"),
    ({"input": []}, "input"),
    ({"input": ["x"] * 257}, "input"),
    ({"input": [1, 2]}, "input[0]"),
    ({"input": [""]}, "input[0]"),
    ({"input": "  "}, "input"),
    ({"input": None}, "input"),
    ({"encoding_format": "hex"}, "encoding_format"),
    ({"dimensions": 5}, "dimensions"),
]


@pytest.mark.parametrize(("change", "param"), WRONG_INPUTS)
def test_names_the_field_of_embeddings(change: dict[str, Any], param: str) -> None:
    body = {"model": "m", "input": "x", **change}

    with pytest.raises(Problem) as found:
        embeddings.read(json.dumps(body).encode())

    assert (found.value.status, found.value.param) == (400, param)


def sent(body: dict[str, Any], max_tokens: int = 7) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        chat.read(json.dumps(body).encode()).encoded("engine", max_tokens)
    )
    return found


def test_makes_the_body_again() -> None:
    content = b'{"model":"a","model":"m","messages":[{"role":"user","content":"\\u0000x"}]}'

    found = json.loads(chat.read(content).encoded("engine", 7))

    assert found == {
        "model": "engine",
        "messages": [{"role": "user", "content": "\0x"}],
        "max_tokens": 7,
    }


def test_always_asks_for_usage_of_a_stream() -> None:
    found = sent({"model": "m", "messages": [USER], "stream": True})

    assert found["stream_options"] == {"include_usage": True}


def test_passes_on_a_whole_conversation() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": "rules"},
        {"role": "user", "content": [{"type": "text", "text": "a"}], "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "7", "tool_call_id": "c1"},
    ]
    body = {"model": "m", "messages": messages, "tools": [TOOL], "tool_choice": "auto"}

    found = sent(body | {"max_completion_tokens": 9})

    assert found["messages"] == [{"role": "system", "content": "rules"}, *messages[1:]]
    assert found["tools"] == [TOOL]
    assert "max_completion_tokens" not in found


def test_takes_an_engines_message_back_as_it_came() -> None:
    """vLLM's, as the official client sends it again."""
    said = {
        "role": "assistant",
        "content": "it is warm",
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": [],
        "reasoning_content": "hmm",
        "reasoning": None,
    }

    found = sent({"model": "m", "messages": [USER, said, USER]})

    assert found["messages"][1] == {"role": "assistant", "content": "it is warm"}


def test_asks_only_for_usage_of_the_options_of_a_stream() -> None:
    options = {"include_usage": False, "include_obfuscation": False}

    found = sent({"model": "m", "messages": [USER], "stream": True, "stream_options": options})

    assert found["stream_options"] == {"include_usage": True}


def test_accepts_a_schema_whose_references_end() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}

    found = sent({"model": "m", "messages": [USER], "response_format": wanted})

    assert found["response_format"] == wanted


@pytest.mark.parametrize(
    ("messages", "size"),
    [
        ([USER], 2),
        ([{"role": "user", "content": "안녕"}], 6),
        ([USER, {"role": "user", "content": "x" * 100, "name": "ann"}], 105),
    ],
)
def test_bounds_the_prompt_by_its_bytes(messages: list[dict[str, Any]], size: int) -> None:
    asked = chat.read(json.dumps({"model": "m", "messages": messages}).encode())

    assert asked.prompt_bytes == size
    assert asked.messages == len(messages)


def test_says_little_of_a_long_value_again() -> None:
    messages = [{"role": "wizard" * 100_000, "content": "hi"}]

    with pytest.raises(Problem) as refused:
        chat.read(json.dumps({"model": "m", "messages": messages}).encode())

    assert len(refused.value.body()) < 1000


class Seen(str):
    """A name that notes how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Seen.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_follows_a_long_chain_of_references_in_a_time_of_its_length() -> None:
    """A megabyte of them, read before anybody asks whose key it is."""
    names = [Seen(f"#/$defs/{number}") for number in range(2000)]
    following = zip(names, [*names[1:], None], strict=True)
    parts = {name[8:]: {"$ref": after} if after else {} for name, after in following}
    Seen.compared = 0

    bodies.check_schema({"$ref": names[0], "$defs": parts}, "tools")

    assert 0 < Seen.compared < 20 * len(names)
