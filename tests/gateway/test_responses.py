"""OpenAI's responses, through the official client, over an engine that only knows how to chat."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.speech import THOUGHTS
from tests.fakes.upstream import PROMPT_TOKENS, WORDS, Upstream
from tests.gateway.world import PRICE, GatewayProcess, World, target, wait_until

MICRO_PER_IN = PRICE // 1_000_000
COST = (PROMPT_TOKENS - 4) * MICRO_PER_IN + 4 * MICRO_PER_IN // 2 + 6 * 2 * MICRO_PER_IN
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "How it is outside",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}


@pytest.fixture
def moods(gateway: GatewayProcess, world: World, upstream: Upstream) -> World:
    """A model for each way to behave, named after it."""
    for mood in ("tools", "reasons", "short", "die", "odd", "no-usage", "error-event"):
        world.endpoint(mood, target(mood, upstream.url, mood, engine="vllm"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
    return world


def events(gateway: GatewayProcess, model: str, **more: Any) -> list[dict[str, Any]]:
    """All events of a stream, as they came."""
    body = json.dumps({"model": model, "input": "안녕?", "stream": True, **more}).encode()
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {gateway.world.key}",
    }
    _, _, content = gateway.send("POST", "/v1/responses", body, headers)
    found = []
    for event in content.decode().removesuffix("\n\n").split("\n\n"):
        name, line = event.split("\n")
        found.append(json.loads(line.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_answers_whole_and_charges_once(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    with gateway.openai() as client:
        answer = client.responses.create(
            model="smollm2",
            input="안녕?",
            instructions="Be brief.",
            max_output_tokens=50,
            temperature=0.5,
            store=False,
            metadata={"ward": "7"},
            user="ann",
        )

    assert answer.output_text == "".join(WORDS)
    assert (answer.status, answer.model, answer.store) == ("completed", "smollm2", False)
    assert (answer.metadata, answer.instructions) == ({"ward": "7"}, "Be brief.")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (PROMPT_TOKENS, 6)
    assert answer.usage.input_tokens_details.cached_tokens == 4
    [heard] = upstream.engine.heard
    assert heard.path == "/v1/chat/completions"
    assert heard.body == {
        "model": "ok",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "안녕?"},
        ],
        "max_tokens": 50,
        "temperature": 0.5,
    }
    [event] = world.settled(1)
    assert (event.route, event.counted, event.outcome) == ("/v1/responses", "reported", "answered")
    assert answer.id == f"resp_{event.request_id}"
    assert event.cost_micro == COST


def test_streams_the_documented_events(gateway: GatewayProcess, world: World) -> None:
    found = events(gateway, "smollm2")

    assert [one["type"] for one in found] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * len(WORDS),
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    assert [one["delta"] for one in found if "delta" in one] == list(WORDS)
    last = found[-1]["response"]
    assert last["output"] == [found[-2]["item"]]
    assert last["output"][0]["content"][0]["text"] == "".join(WORDS)
    assert last["usage"]["output_tokens"] == 6
    assert last["dure"]["cost_krw"] == f"{COST / 1e6:.6f}".rstrip("0")
    assert {one["item_id"] for one in found if "item_id" in one} == {last["output"][0]["id"]}
    [event] = world.settled(1)
    assert (event.stream, event.counted, event.cost_micro) == (True, "reported", COST)


def test_the_official_client_gathers_a_stream(gateway: GatewayProcess, world: World) -> None:
    with (
        gateway.openai() as client,
        client.responses.stream(model="smollm2", input="안녕?") as stream,
    ):
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()

    assert pieces == list(WORDS)
    assert final.output_text == "".join(WORDS)
    world.settled(1)


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_a_function_and_reads_its_result(
    gateway: GatewayProcess, moods: World, upstream: Upstream, streamed: bool
) -> None:
    wanted: list[Any] = [{"role": "user", "content": "대구 날씨?"}]
    options: Any = {"model": "tools", "tools": [WEATHER, {**WEATHER, "name": "news"}]}
    with gateway.openai() as client:
        if streamed:
            with client.responses.stream(input=wanted, **options) as stream:
                stream.until_done()
                first = stream.get_final_response()
        else:
            first = client.responses.create(input=wanted, tool_choice="required", **options)
        calls = [item for item in first.output if item.type == "function_call"]
        wanted += first.output
        wanted += [
            {"type": "function_call_output", "call_id": call.call_id, "output": "맑음"}
            for call in calls
        ]
        second = client.responses.create(input=wanted, **options)

    assert [call.name for call in calls] == ["weather", "news"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "대구"}] * 2
    assert [call.call_id for call in calls] == ["call_0", "call_1"]
    assert second.output_text == "".join(WORDS)
    heard = upstream.engine.heard[1].body
    assert [message["role"] for message in heard["messages"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
    ]
    assert [call["id"] for call in heard["messages"][1]["tool_calls"]] == ["call_0", "call_1"]
    assert heard["tools"][0]["function"]["strict"] is True
    assert moods.settled(2)[0].cost_micro == COST


def test_streams_calls_one_after_another(gateway: GatewayProcess, moods: World) -> None:
    found = events(gateway, "tools", tools=[WEATHER, {**WEATHER, "name": "news"}])

    one = [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert [event["type"] for event in found[2:]] == [*one, *one, "response.completed"]
    assert [event["output_index"] for event in found if "output_index" in event] == [0] * 5 + [
        1
    ] * 5
    added = [event["item"] for event in found if event["type"].endswith("item.added")]
    assert [(item["name"], item["arguments"]) for item in added] == [("weather", ""), ("news", "")]
    ids = [item["id"] for item in found[-1]["response"]["output"]]
    assert ids == [item["id"] for item in added]
    assert len(set(ids)) == 2
    moods.settled(1)


@pytest.mark.parametrize("streamed", [False, True])
def test_keeps_reasoning_apart(gateway: GatewayProcess, moods: World, streamed: bool) -> None:
    if streamed:
        found = events(gateway, "reasons")
        told = [one["delta"] for one in found if one["type"] == "response.reasoning_text.delta"]
        assert told == list(THOUGHTS)
        answer = found[-1]["response"]
    else:
        _, _, answer = gateway.post("/v1/responses", {"model": "reasons", "input": "x"})

    assert [item["type"] for item in answer["output"]] == ["reasoning", "message"]
    assert answer["output"][0]["content"][0]["text"] == "".join(THOUGHTS)
    assert answer["output"][1]["content"][0]["text"] == "".join(WORDS)
    assert answer["usage"]["output_tokens_details"] == {"reasoning_tokens": None}
    moods.settled(1)


@pytest.mark.parametrize("streamed", [False, True])
def test_says_that_it_ran_out_of_tokens(
    gateway: GatewayProcess, moods: World, streamed: bool
) -> None:
    if streamed:
        found = events(gateway, "short", max_output_tokens=3)
        assert found[-1]["type"] == "response.incomplete"
        answer = found[-1]["response"]
    else:
        body = {"model": "short", "input": "x", "max_output_tokens": 3}
        _, _, answer = gateway.post("/v1/responses", body)

    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert answer["output"][0]["status"] == "incomplete"
    assert answer["output"][0]["content"][0]["text"] == "".join(WORDS[:3])
    moods.settled(1)


@pytest.mark.parametrize("mood", ["die", "error-event"])
def test_ends_with_the_error_when_it_is_cut(
    gateway: GatewayProcess, moods: World, mood: str
) -> None:
    found = events(gateway, mood)

    assert [one["type"] for one in found[-2:]] == ["error", "response.failed"]
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    assert found[-2]["code"] == "stream_interrupted"
    assert "daegu-1" in found[-2]["message"]
    failed = found[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "server_error"
    assert failed["output"][0]["status"] == "incomplete"
    assert not any(one["type"].endswith((".done", ".completed")) for one in found)
    [event] = moods.settled(1)
    assert event.outcome == "site_failed"
    assert event.cost_micro > 0


def test_does_not_tell_what_is_no_chat(gateway: GatewayProcess, moods: World) -> None:
    body = json.dumps({"model": "odd", "input": "x", "stream": True}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {moods.key}"}

    status, _, content = gateway.send("POST", "/v1/responses", body, headers)

    assert (status, json.loads(content)["error"]["code"]) == (502, "site_failed")
    assert moods.settled(0) == []


@pytest.mark.parametrize("streamed", [False, True])
def test_unknown_usage_is_not_zero(gateway: GatewayProcess, moods: World, streamed: bool) -> None:
    if streamed:
        usage = events(gateway, "no-usage")[-1]["response"]["usage"]
        assert (usage["output_tokens"], moods.settled(1)[0].counted) == (6, "counted")
    else:
        _, _, answer = gateway.post("/v1/responses", {"model": "no-usage", "input": "x"})
        assert (answer["usage"], moods.settled(1)[0].counted) == (None, "none")


def test_passes_effort_on_where_it_is_known(
    gateway: GatewayProcess, moods: World, upstream: Upstream
) -> None:
    effort: Any = {"effort": "low"}

    known, _, answer = gateway.post(
        "/v1/responses", {"model": "reasons", "input": "x", "reasoning": effort}
    )
    unknown, _, problem = gateway.post(
        "/v1/responses", {"model": "smollm2", "input": "x", "reasoning": effort}
    )

    assert (known, answer["reasoning"]["effort"]) == (200, "low")
    assert upstream.engine.heard[0].body["reasoning_effort"] == "low"
    assert (unknown, problem["error"]["code"]) == (400, "unsupported_parameter")
    moods.settled(1)
