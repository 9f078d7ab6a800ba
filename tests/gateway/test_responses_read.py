"""Which requests of the responses are refused, and what chat the others become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.gateway import responses
from portal.gateway.errors import Problem

USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "7"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
DEEP = json.loads("[" * 70 + "]" * 70)


def content(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"store": True}, "store"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"conversation": {"id": "conv_1"}}, "conversation"),
    ({"background": True}, "background"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"include": ["file_search_call.results"]}, "include"),
    ({"max_tool_calls": 3}, "max_tool_calls"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"truncation": "auto"}, "truncation"),
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
    ({"stream": True, "stream_options": {"include_obfuscation": True}}, ""),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [TOOL, {"type": "file_search", "vector_store_ids": []}]}, "tools[1].type"),
    ({"tools": [{"type": "mcp", "server_url": "http://169.254.169.254"}]}, "tools[0].type"),
    ({"tools": [{"type": "custom", "name": "f"}]}, "tools[0].type"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
    ({"input": [USER, {"type": "computer_call", "id": "x"}]}, "input[1].type"),
    ({"context_management": []}, "context_management"),
    ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
    ({"moderation": {}}, "moderation"),
]
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"input": []}, "input"),
    ({"input": None}, "input"),
    ({"input": 7}, "input"),
    ({"input": [7]}, "input[0]"),
    ({"input": [USER] * 2049}, "input"),
    ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": []}]}, "input[0].content"),
    ({"input": [{**USER, "secret": 1}]}, "input[0].secret"),
    ({"input": content({"type": "input_image", "image_url": "file:///x"})}, "input[0].content[0]"),
    ({"input": content({"type": "input_file", "file_url": "http://x"})}, "input[0].content[0]"),
    ({"input": content({"type": "input_text", "text": 1})}, "input[0].content[0].text"),
    ({"input": content({"type": "poem", "text": "x"})}, "input[0].content[0].type"),
    ({"input": [RESULT]}, "input[0].call_id"),
    ({"input": [USER, CALL, {**RESULT, "call_id": "c2"}]}, "input[2].call_id"),
    ({"input": [{**CALL, "name": "a b"}]}, "input[0].name"),
    ({"input": [{**CALL, "call_id": f"c{n}"} for n in range(129)]}, "input[128]"),
    ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "input"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"max_output_tokens": True}, "max_output_tokens"),
    ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "file_search"}}, "tool_choice.type"),
    ({"tools": [TOOL] * 129}, "tools"),
    ({"tools": [{**TOOL, "secret": 1}]}, "tools[0].secret"),
    ({"tools": [{**TOOL, "parameters": {"$ref": "#"}}]}, "tools[0].parameters"),
    ({"tools": [{**TOOL, "parameters": {"deep": DEEP}}]}, "tools[0].parameters"),
    ({"tools": [{"name": "f"}]}, "tools[0].type"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
    (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"$ref": "#"}}}},
        "text.format.schema",
    ),
    ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
    ({"messages": [USER]}, "messages"),
    ({"n": 1}, "n"),
]


def read(**changes: Any) -> responses.AskedResponse:
    return responses.read(json.dumps({"model": "m", "input": "hi", **changes}).encode())


def sent(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read(**changes).encoded("engine", 7))
    assert (found.pop("model"), found.pop("max_tokens")) == ("engine", 7)
    return found


@pytest.mark.parametrize(("change", "param"), UNSUPPORTED)
def test_names_what_is_not_offered(change: dict[str, Any], param: str) -> None:
    with pytest.raises(Problem) as found:
        read(**change)

    assert (found.value.status, found.value.code) == (400, "unsupported_parameter")
    assert found.value.param == (param or "stream_options.include_obfuscation")


@pytest.mark.parametrize(("change", "param"), INVALID)
def test_names_the_field_of_a_response(change: dict[str, Any], param: str) -> None:
    with pytest.raises(Problem) as found:
        read(**change)

    assert (found.value.status, found.value.param) == (400, param)


@pytest.mark.parametrize(
    "change", [{"previous_response_id": "r"}, {"store": True}, {"conversation": "c"}]
)
def test_says_that_nothing_is_kept(change: dict[str, Any]) -> None:
    with pytest.raises(Problem) as found:
        read(**change)

    assert "nothing is kept here between requests; send the whole input" in found.value.message


def test_accepts_what_clients_write_out_and_changes_nothing() -> None:
    found = sent(
        store=False,
        previous_response_id=None,
        conversation=None,
        background=False,
        prompt=None,
        include=[],
        max_tool_calls=None,
        top_logprobs=0,
        truncation="disabled",
        tool_choice="auto",
        tools=[],
        parallel_tool_calls=True,
        reasoning={"effort": None, "summary": None},
        text={"format": {"type": "text"}, "verbosity": "medium"},
        service_tier="auto",
        safety_identifier="x",
        prompt_cache_key="x",
        user="ann",
        metadata={"a": "b"},
        stream=False,
    )

    assert found == {"messages": [USER]}


def test_makes_one_chat_of_a_whole_conversation() -> None:
    found = sent(
        instructions="rules",
        input=[
            {"type": "message", "role": "developer", "content": "more"},
            {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": []},
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "b", "annotations": [], "logprobs": []}
                ],
            },
            {**CALL, "id": "fc_1", "status": "completed"},
            {**CALL, "call_id": "c2", "async": None, "namespace": None},
            RESULT,
            {**RESULT, "call_id": "c2", "output": [{"type": "input_text", "text": "8"}]},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "c"},
                    {"type": "input_text", "text": "d"},
                ],
            },
        ],
    )

    function = {"name": "f", "arguments": "{}"}
    assert found["messages"] == [
        {"role": "system", "content": "rules"},
        {"role": "system", "content": "more"},
        {"role": "user", "content": "a"},
        {
            "role": "assistant",
            "content": "b",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": function},
                {"id": "c2", "type": "function", "function": function},
            ],
        },
        {"role": "tool", "content": "7", "tool_call_id": "c1"},
        {"role": "tool", "content": "8", "tool_call_id": "c2"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}],
        },
    ]


def test_turns_tools_and_format_into_a_chats() -> None:
    schema = {"type": "object"}
    found = sent(
        tools=[{**TOOL, "description": "d", "strict": False}],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "s", "schema": schema, "strict": True}},
    )

    function = {"name": "f", "description": "d", "parameters": schema, "strict": False}
    assert found["tools"] == [{"type": "function", "function": function}]
    assert found["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert found["parallel_tool_calls"] is False
    assert found["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": schema, "strict": True},
    }


def test_bounds_the_prompt_by_all_that_is_sent() -> None:
    bare = read(input="안녕")
    more = read(input="안녕", instructions="x" * 100, tools=[TOOL])

    assert (bare.prompt_bytes, bare.messages) == (6, 1)
    assert more.messages == 2
    assert more.prompt_bytes >= 106 + len(json.dumps(TOOL["parameters"]))


def test_notes_the_effort_that_not_every_engine_knows() -> None:
    assert read(reasoning={"effort": "low"}).optional == ("reasoning_effort",)
    assert read(reasoning={}).optional == ()
