"""Prompts that are continued: which fields are known, what a site is sent, what a client sees."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from portal.gateway import completions
from portal.gateway.errors import Problem
from tests.fakes.upstream import PROMPT_TOKENS, WORDS, Upstream
from tests.gateway.world import PRICE, GatewayProcess, World, target, wait_until

MICRO_PER_IN = PRICE // 1_000_000
COST = (PROMPT_TOKENS - 4) * MICRO_PER_IN + 4 * MICRO_PER_IN // 2 + 6 * 2 * MICRO_PER_IN

WRONG_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"prompt": ""}, "prompt", "invalid_value"),
    ({"prompt": []}, "prompt", "invalid_value"),
    ({"prompt": None}, "prompt", "invalid_value"),
    ({"prompt": ["a", "b"]}, "prompt", "invalid_value"),
    ({"prompt": [1, 2]}, "prompt", "invalid_value"),
    ({"prompt": [[1, 2]]}, "prompt", "invalid_value"),
    ({"prompt": [{"text": "a"}]}, "prompt", "invalid_value"),
    ({"n": 2}, "n", "invalid_value"),
    ({"best_of": 2}, "best_of", "invalid_value"),
    ({"suffix": "the end"}, "suffix", "unsupported_parameter"),
    ({"logprobs": 6}, "logprobs", "invalid_value"),
    ({"logprobs": True}, "logprobs", "invalid_value"),
    ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ({"messages": []}, "messages", "unknown_parameter"),
    ({"tools": []}, "tools", "unknown_parameter"),
]


@pytest.mark.parametrize(("change", "param", "code"), WRONG_FIELDS)
def test_names_the_field_of_a_completion(change: dict[str, Any], param: str, code: str) -> None:
    body = {"model": "m", "prompt": "x", **change}

    with pytest.raises(Problem) as found:
        completions.read(json.dumps(body).encode())

    assert (found.value.status, found.value.param, found.value.code) == (400, param, code)


def test_says_that_tokens_are_not_taken() -> None:
    with pytest.raises(Problem) as found:
        completions.read(b'{"model":"m","prompt":[1,2,3]}')

    assert "arrays of tokens are not taken" in found.value.message


@pytest.mark.parametrize("prompt", ["서울은", ["서울은"]])
def test_makes_the_prompt_again(prompt: str | list[str]) -> None:
    body = {"model": "m", "prompt": prompt, "n": 1, "best_of": 1, "suffix": "", "user": "ann"}

    asked = completions.read(json.dumps(body | {"echo": False, "stop": ["\n"]}).encode())

    assert json.loads(asked.encoded("engine", 7)) == {
        "model": "engine",
        "prompt": "서울은",
        "max_tokens": 7,
        "stop": ["\n"],
    }
    assert asked.prompt_bytes == 9
    assert asked.optional == ()
    assert asked.beginning() == "서울은"


def test_answers_whole_and_charges_once(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        answer = client.completions.create(model="smollm2", prompt="서울은")

    assert answer.choices[0].text == "".join(WORDS)
    assert answer.model == "smollm2"
    [event] = world.settled(1)
    assert (event.route, event.counted, event.outcome) == (
        "/v1/completions",
        "reported",
        "answered",
    )
    assert (event.tokens_in, event.tokens_out) == (PROMPT_TOKENS, 6)
    assert event.cost_micro == COST


@pytest.mark.parametrize("wanted", [True, False])
def test_streams_with_usage_for_those_who_asked(
    gateway: GatewayProcess, world: World, wanted: bool
) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if wanted else {}
    with gateway.openai() as client:
        stream = client.completions.create(model="smollm2", prompt="x", stream=True, **options)
        chunks = list(stream)

    assert "".join(c.choices[0].text for c in chunks if c.choices) == "".join(WORDS)
    told = [chunk for chunk in chunks if chunk.usage is not None]
    assert len(told) == wanted
    if wanted:
        assert told[0].usage is not None
        assert told[0].usage.completion_tokens == 6
        assert told[0].object == "text_completion"
        assert (told[0].model_extra or {})["dure"]["cost_krw"] == f"{COST / 1e6:.6f}".rstrip("0")
    assert chunks[len(WORDS)].choices[0].finish_reason == "stop"
    [event] = world.settled(1)
    assert (event.stream, event.counted, event.cost_micro) == (True, "reported", COST)


def test_counts_the_pieces_of_a_text(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.endpoint("quiet", target("quiet", upstream.url, "no-usage"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

    with gateway.openai() as client:
        list(client.completions.create(model="quiet", prompt="x" * 40, stream=True))

    [event] = world.settled(1)
    assert (event.counted, event.tokens_in, event.tokens_out) == ("counted", 10, 6)


def test_ends_with_the_error_when_the_site_dies(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.endpoint("dying", target("dying", upstream.url, "die"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

    with gateway.openai() as client, pytest.raises(openai.APIError) as found:
        list(client.completions.create(model="dying", prompt="x", stream=True))

    assert found.value.code == "stream_interrupted"
    [event] = world.settled(1)
    assert (event.outcome, event.tokens_out) == ("site_failed", 4)


def test_asks_for_an_echo_only_where_the_engine_knows_it(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    known = target("known", upstream.url, "ok", engine="vllm")
    other = target("other", upstream.url, "ok", engine="llama.cpp", site="gwangju-1")
    world.endpoint("one", known)
    world.endpoint("both", known, other)
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

    ok, _, answer = gateway.post("/v1/completions", {"model": "one", "prompt": "x", "echo": True})
    refused, _, problem = gateway.post(
        "/v1/completions", {"model": "both", "prompt": "x", "echo": True}
    )

    assert (ok, answer["choices"][0]["text"]) == (200, "x" + "".join(WORDS))
    assert (refused, problem["error"]["code"]) == (400, "unsupported_parameter")
    assert problem["error"]["param"] == "echo"
    assert "llama.cpp at the site gwangju-1" in problem["error"]["message"]
    assert len(upstream.engine.heard) == 1
    world.settled(1)


def test_a_site_that_the_key_may_not_use_decides_nothing(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    known = target("known", upstream.url, "ok", engine="vllm")
    other = target("other", upstream.url, "ok", engine="llama.cpp", site="gwangju-1")
    world.endpoint("both", known, other)
    world.grant = world.grant.__replace__(sites=("daegu-1",))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

    body = {"model": "both", "prompt": "x", "top_k": 5, "echo": True}

    status, _, _ = gateway.post("/v1/completions", body)

    assert status == 200
    assert upstream.engine.heard[0].body["top_k"] == 5
    assert upstream.engine.heard[0].body["echo"] is True
