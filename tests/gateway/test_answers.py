"""What a client sees when all is well, through the official client; and what it costs."""

from __future__ import annotations

import json

import openai
import pytest

from tests.fakes.upstream import PROMPT_TOKENS, WORDS, Upstream
from tests.gateway.bad_input.site import ScriptedSite, whole
from tests.gateway.conftest import Start
from tests.gateway.world import ENGINE_SECRET, PRICE, GatewayProcess, World, target, wait_until

MICRO_PER_IN = PRICE // 1_000_000
COST = (PROMPT_TOKENS - 4) * MICRO_PER_IN + 4 * MICRO_PER_IN // 2 + 6 * 2 * MICRO_PER_IN


def test_answers_whole_and_charges_once(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        raw = client.chat.completions.with_raw_response.create(
            model="smollm2", messages=[{"role": "user", "content": "안녕?"}]
        )

    answer = raw.parse()
    assert answer.choices[0].message.content == "".join(WORDS)
    assert answer.model == "smollm2"
    assert raw.headers["x-dure-site"] == "daegu-1"
    assert raw.headers["x-dure-chip"] == "rngd"
    assert raw.headers["x-dure-simulated"] == "true"
    assert raw.headers["x-dure-max-tokens"] == "64"
    assert raw.headers["x-dure-cost-krw"] == f"{COST / 1e6:.6f}".rstrip("0")
    assert int(raw.headers["x-ratelimit-remaining-requests"]) == 99_999
    [event] = world.settled(1)
    assert event.request_id == raw.headers["x-request-id"]
    assert (event.tokens_in, event.tokens_cached, event.tokens_out) == (PROMPT_TOKENS, 4, 6)
    assert (event.counted, event.outcome, event.attempts) == ("reported", "answered", 1)
    assert event.cost_micro == COST
    assert {world.standing(subject).spent for subject in world.grant.budgets} == {COST}


def test_streams_and_charges_once(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        stream = client.chat.completions.create(
            model="smollm2",
            messages=[{"role": "user", "content": "안녕?"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)

    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == "".join(WORDS)
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 6
    extra = chunks[-1].model_extra or {}
    assert extra["dure"]["cost_krw"] == f"{COST / 1e6:.6f}".rstrip("0")
    [event] = world.settled(1)
    assert event.stream
    assert event.cost_micro == COST
    assert event.first_byte_at_ms is not None


def test_hides_the_usage_that_was_not_asked_for(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        chunks = list(
            client.chat.completions.create(
                model="smollm2", messages=[{"role": "user", "content": "안녕?"}], stream=True
            )
        )

    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert world.settled(1)[0].counted == "reported"


def test_embeds_as_floats_and_as_base64(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        # the official client asks for base64 and decodes it
        packed = client.embeddings.create(model="e5", input=["가", "나다"])
        plain = client.embeddings.create(model="e5", input="가", encoding_format="float")

    assert [row.embedding for row in packed.data] == [[0.5, -0.25, 1.0], [0.5, -0.25, 2.0]]
    assert plain.data[0].embedding == [0.5, -0.25, 1.0]
    first, second = world.settled(2)
    assert (first.tokens_in, first.tokens_out, first.route) == (6, 0, "/v1/embeddings")
    assert second.cost_micro == 3 * MICRO_PER_IN


@pytest.mark.parametrize("number", ["1e39", "-1e300", "null", '"x"'])
def test_a_vector_of_no_floats_is_the_site_s_failure(
    gateway: GatewayProcess, world: World, number: str
) -> None:
    vector = f'{{"index": 0, "embedding": [{number}]}}'
    answer = f'{{"object": "list", "data": [{vector}], "usage": {{"prompt_tokens": 1}}}}'
    with ScriptedSite([whole(answer.encode())]) as site:
        world.endpoint("odd", target("odd", site.url, "odd"), kind="embedding")
        world.publish()
        wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

        body = {"model": "odd", "input": "a", "encoding_format": "base64"}
        status, _, answered = gateway.post("/v1/embeddings", body)

    assert (status, answered["error"]["code"]) == (502, "site_failed")
    wait_until(lambda: world.held() == 0)


def test_lists_only_what_the_key_may_use(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        found = list(client.models.list())

    assert [model.id for model in found] == ["e5", "smollm2"]
    assert all(model.to_dict()["sites"] for model in found)
    world.change_grant(revoked=True)
    assert gateway.get("/v1/models", world.key)[0] == 401


def test_shows_one_model_or_none(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        found = client.models.retrieve("smollm2")
        with pytest.raises(openai.NotFoundError) as refused:
            client.models.retrieve("gpt-4o")

    assert (found.id, found.to_dict()["sites"]) == ("smollm2", ["daegu-1"])
    assert refused.value.code == "model_not_found"
    assert gateway.get("/v1/models/smollm2")[0] == 401


def test_sends_a_site_only_what_it_needs(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    gateway.chat(
        "smollm2",
        user="patient-7",
        temperature=0.5,
        stream=False,
        store=False,
        metadata={"ward": "7"},
        service_tier="auto",
        safety_identifier="patient-7",
        prompt_cache_key="ward-7",
        modalities=["text"],
    )

    [heard] = upstream.engine.heard
    assert heard.body == {
        "model": "ok",
        "messages": [{"role": "user", "content": "안녕?"}],
        "max_tokens": 64,
        "temperature": 0.5,
    }
    assert heard.headers["authorization"] == f"Bearer {ENGINE_SECRET}"
    assert world.key not in json.dumps(heard.headers)


def test_never_logs_a_prompt_or_a_key(start: Start, world: World) -> None:
    gateway = start()
    gateway.chat("smollm2", messages=[{"role": "user", "content": "secret-diagnosis"}])
    gateway.send("GET", f"/v1/models?api_key={world.key}", None, {})
    gateway.post("/v1/chat/completions", b'{"secret-diagnosis": 1}')
    gateway.stop()

    log = gateway.log.read_text()
    assert "secret-diagnosis" not in log
    assert world.key not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["status"] for line in lines if line["event"] == "request"][-3:] == [200, 401, 400]


def test_tells_how_it_is(start: Start, world: World) -> None:
    gateway = start()
    gateway.chat("smollm2")
    world.settled(1)

    assert gateway.get("/health") == (200, {"status": "alive"})
    assert gateway.get("/ready")[0] == 200
    status, headers, content = gateway.send("GET", "/metrics", None, {})
    text = content.decode()
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert 'dure_requests_total{route="/v1/chat/completions",status="200"} 1' in text
    assert 'dure_tokens_total{direction="out"} 6' in text
    assert "org_gate" not in text
