"""Failures of other gateways and billing systems, told as tests: what is spent, by whom, where.

Each test has the number of its scenario. What a scenario is shown by where it stands elsewhere:

| scenario | shown by |
|---|---|
| 5–10 the ends of a request | ``tests.gateway.test_scenarios_ends`` |
| 11 spend pipeline crash | ``tests.usage.test_intake``: ``test_books_once_when_a_batch_is_repeated``, ``test_charges_a_late_event_once_when_it_dies_before_the_insert``; with ``kill -9`` ``tests.journeys.test_whole.test_keeps_the_books_right_when_killed`` |
| 12 dedup order | ``tests.usage.test_intake.test_writes_nothing_after_its_lease_was_lost`` (nothing is claimed before it is written), ``test_books_once_when_a_batch_is_repeated`` |
| 13 dedup is stable | ``tests.usage.test_intake.test_books_once_when_an_event_came_twice_in_one_batch``; ids are minted here, never by a client (``test_scenario_13_…``) |
| 15 period rollover, a request across it | ``tests.admission.test_midnight`` |
| 19, 20 invoices, webhooks | not the gateway's |
"""  # noqa: E501

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from portal.admission import keys
from portal.gateway.app import ROUTES, Inference
from portal.lib import ids
from portal.lib.ids import request_id_ms
from tests.admission import counters
from tests.fakes.upstream import Upstream
from tests.gateway.bad_input.site import ScriptedSite, whole
from tests.gateway.world import (
    CELL,
    ORG_CODE,
    GatewayProcess,
    World,
    month,
    target,
    wait_until,
)
from tests.minutes import begin_early

MICRO = 1_000_000
CHAT = "/v1/chat/completions"
Start = Callable[..., GatewayProcess]


def dear(world: World, model: str, won: int, tokens: int) -> None:
    """Let so many tokens of an answer cost so much, and a prompt nothing."""
    per_token = won * MICRO * MICRO // tokens
    world.models[model] = msgspec.structs.replace(
        world.models[model], price_in=0, price_cached=0, price_out=per_token
    )


def at_once(count: int, ask: Callable[[int], Any]) -> list[Any]:
    """What ``count`` clients got who began together."""
    found: list[Any] = []
    line = threading.Barrier(count)

    def run(number: int) -> None:
        line.wait(20)
        found.append(ask(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(found) == count
    return found


def used(world: World, subject: str = "prj_gate") -> int:
    standing = world.standing(subject)
    return standing.spent + standing.held


@pytest.mark.story
def test_scenario_01_concurrent_overspend(start: Start, world: World, upstream: Upstream) -> None:
    """10,000 won left, a worst case of 3,000, 50 requests on four gateways: three are admitted."""
    world.endpoint("slow", target("slow", upstream.url, "slow"))
    dear(world, "slow", 3_000, 10)
    for subject, won in (("org_gate", 10**6), ("prj_gate", 10_000), ("key_gate", 10**6)):
        world.limit(subject, won * MICRO)
    world.publish()
    gateways = [start(f"g{number}") for number in range(4)]

    found = at_once(50, lambda number: gateways[number % 4].chat("slow", max_tokens=10))

    assert Counter(status for status, _, _ in found) == {200: 3, 429: 47}
    refused = [answer["error"] for status, _, answer in found if status == 429]
    assert {(one["code"], one["budget"]) for one in refused} == {("insufficient_quota", "prj_gate")}
    assert {one["limit"] for one in refused} == {"10000"}
    assert len(world.settled(3)) == 3
    assert used(world) == 3 * 1_800 * MICRO


def test_scenario_02_tokens_per_minute_race(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    """100 tokens a minute, five requests of 58 to 175 tokens together: at most 100 are let in. None
    is answered before all are asked: what an answer did not need would let another one in."""
    world.endpoint("slow", target("slow", upstream.url, "slow"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
    world.change_grant(tpm=100)
    begin_early()
    prompt = 1 + 2 * 8  # one letter, and the template for a message and the answer
    worst = [58, 74, 90, 120, 175]

    def ask(number: int) -> tuple[int, int, Any]:
        messages = [{"role": "user", "content": "x"}]
        status, headers, answer = gateway.chat(
            "slow", messages=messages, max_tokens=worst[number] - prompt
        )
        return status, worst[number], (headers, answer)

    found = at_once(5, ask)

    admitted = [tokens for status, tokens, _ in found if status == 200]
    assert len(admitted) == 1 and sum(admitted) <= 100
    for status, tokens, (headers, answer) in found:
        if status != 200:
            assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")
            assert (answer["error"]["rule"], answer["error"]["limit"]) == ("tokens", 100)
            # what is too large for any minute is not to be sent again
            assert ("retry-after" in headers) is (tokens <= 100)
            assert (headers.get("x-should-retry") == "false") is (tokens > 100)


@pytest.mark.story
def test_scenario_03_replica_multiplication(start: Start, world: World) -> None:
    """A cap is a cap for all gateways together, also just after one of them was started again."""
    limit = 2_000
    world.limit("prj_gate", limit)
    gateways = [start(f"g{number}") for number in range(3)]

    def spend(number: int) -> None:
        for _ in range(8):
            gateways[number % 3].chat("smollm2", max_tokens=20)
            assert used(world) <= limit

    at_once(6, spend)
    gateways[0].kill()
    gateways[0].start()
    at_once(6, spend)

    wait_until(lambda: world.held() == 0)
    events = world.events()
    assert sum(event.cost_micro for event in events) == world.standing("prj_gate").spent <= limit
    assert {gateway.chat("smollm2", max_tokens=100)[0] for gateway in gateways} == {429}


def test_scenario_13_ids_are_ours(gateway: GatewayProcess, world: World) -> None:
    """Two requests with the id of the same client both count; neither has the client's id."""
    for _ in range(2):
        assert gateway.chat("smollm2")[0] == 200
        given = {"x-request-id": "01890000-0000-7000-8000-000000000000"}
        body = {"model": "smollm2", "messages": [{"role": "user", "content": "x"}]}
        assert gateway.post(CHAT, body, **given)[0] == 200

    found = {event.request_id for event in world.settled(4)}
    assert len(found) == 4
    assert all(abs(request_id_ms(one) - time.time() * 1000) < 60_000 for one in found)


BODIES: dict[str, list[dict[str, Any]]] = {
    CHAT: [
        {"model": "smollm2", "messages": [{"role": "user", "content": "x"}]},
        {"model": "smollm2", "messages": [{"role": "user", "content": "x"}], "stream": True},
    ],
    "/v1/embeddings": [{"model": "e5", "input": "x"}],
    "/v1/completions": [
        {"model": "smollm2", "prompt": "x"},
        {"model": "smollm2", "prompt": "x", "stream": True},
    ],
    "/v1/responses": [
        {"model": "smollm2", "input": "x", "store": False},
        {"model": "smollm2", "input": "x", "store": False, "stream": True},
    ],
    "/v1/rerank": [{"model": "e5", "query": "x", "documents": ["x"]}],
}


def test_scenario_14_bypass_routes(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    """With nothing left every route refuses; a route without a body here fails this test."""
    world.limit("org_gate", 0)

    for path, (_, route) in ROUTES.items():
        for body in BODIES[path] if isinstance(route, Inference) else ():
            status, _, answer = gateway.post(path, body)
            assert (status, answer["error"]["code"]) == (429, "insufficient_quota"), (path, body)
            assert answer["error"]["budget"] == "org_gate"

    assert upstream.engine.heard == []
    assert world.held() == 0
    assert world.events() == []


def test_scenario_14_no_price_no_service(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    """A model that has no price is in no grant, so it is not there. A price of 0 is a price."""
    del world.models["smollm2"]
    world.models["e5"] = msgspec.structs.replace(
        world.models["e5"], price_in=0, price_cached=0, price_out=0
    )
    world.publish()

    assert gateway.chat("smollm2")[0] == 404
    assert upstream.engine.heard == []
    assert gateway.post("/v1/embeddings", BODIES["/v1/embeddings"][0])[0] == 200
    [event] = world.settled(1)
    assert (event.cost_micro, event.tokens_in) == (0, 3)


def test_scenario_15_period_rollover(start: Start, world: World, upstream: Upstream) -> None:
    """Used up by two gateways' clients, who ask again and again; the month turns, and the first
    request of each is admitted: nobody remembers that there was nothing left."""
    world.endpoint("m", target("one", upstream.url, "ok"))
    dear(world, "m", 100, 10)
    world.limit("prj_gate", 250 * MICRO)
    world.publish()
    gateways = [start(f"g{number}") for number in range(2)]
    counters.add(world.client, CELL, "prj_gate", month(), spent=250 * MICRO)
    for one in gateways * 3:
        status, _, answer = one.chat("m", max_tokens=10)
        assert (status, answer["error"]["budget"]) == (429, "prj_gate")

    world.client.rename(keys.used(CELL, month()), keys.used(CELL, "2001-01"))
    world.client.hset(f"{keys.tag(CELL)}:months", "2001-01", "1")

    assert [one.chat("m", max_tokens=10)[0] for one in gateways] == [200, 200]
    charged = sum(event.cost_micro for event in world.settled(2))
    assert world.standing("prj_gate").spent == charged > 0
    before = world.admission.standing(ORG_CODE, subject="prj_gate", month="2001-01")
    assert before is not None and (before.spent, before.held) == (250 * MICRO, 0)


def test_scenario_16_attribution_comes_from_the_key(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    """No header and no field moves what is spent to others, or raises a limit."""
    world.limit("org_other", MICRO)
    body = BODIES[CHAT][0]

    for name in ("OpenAI-Organization", "OpenAI-Project"):
        assert gateway.post(CHAT, body, **{name: "org_other"})[0] == 403
    for field in ("organization", "metadata", "temp_budget_increase", "budget", "service_tier"):
        status, _, answer = gateway.post(CHAT, body | {field: "org_other"})
        assert (status, answer["error"]["param"]) == (400, field)
    assert upstream.engine.heard == []
    assert gateway.post(CHAT, body | {"user": "org_other"}, x_organization="org_other")[0] == 200

    [event] = world.settled(1)
    assert (event.organization, event.key) == ("org_gate", "key_gate")
    other = world.admission.standing(ORG_CODE, subject="org_other", month=month())
    assert other is not None and (other.spent, other.held, other.limit) == (0, 0, MICRO)


def test_scenario_17_no_secrets_in_logs(
    start: Start, world: World, upstream: Upstream, other_upstream: Upstream
) -> None:
    """A key that meets every error stands in no log, no journal, no event and no answer."""
    for mood in ("drop", "busy", "500", "refuse", "die", "garbage", "hang"):
        world.endpoint(mood, target(mood, upstream.url, mood))
    world.publish()
    gateway = start(DURE_GATEWAY_FIRST_BYTE_SECONDS="1", DURE_GATEWAY_WHOLE_SECONDS="1")
    key, said = world.key, []
    unknown = ids.mint_api_key(ORG_CODE)

    for model in (*world.models, "unknown", key):
        for stream in (False, True):
            said.append(_raw_chat(gateway, model, stream=stream))
    for authorization in (f"Basic {key}", f"Bearer  {key}", f"Bearer {key}x", f"Bearer {unknown}"):
        said.append(_raw_chat(gateway, "smollm2", authorization=authorization))
    said.append(gateway.send("GET", f"/v1/models?api_key={key}", None, {})[2])
    said.append(gateway.send("GET", f"/{key}", None, {})[2])
    said.append(_raw_chat(gateway, "smollm2", **{key: key}))
    for change in ({"rpm": 1}, {"addresses": ("10.0.0.0/8",)}, {"inference": False}):
        world.change_grant(**change)
        said.append(_raw_chat(gateway, "smollm2"))
    wait_until(lambda: world.held() == 0)
    gateway.stop()

    kept = [path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file()]
    events = [repr(event).encode() for event in world.events()]
    assert len(kept) >= 2 and events
    for one in (*said, *kept, *events):
        assert key.rpartition("_")[2].encode() not in one
        assert unknown.rpartition("_")[2].encode() not in one
        assert b"engine-secret" not in one


def _raw_chat(gateway: GatewayProcess, model: str, authorization: str = "", **more: Any) -> bytes:
    content = msgspec.json.encode(
        {"model": model, "messages": [{"role": "user", "content": "x"}], "max_tokens": 5} | more
    )
    headers = {
        "content-type": "application/json",
        "authorization": authorization or f"Bearer {gateway.world.key}",
    }
    status, found, answer = gateway.send("POST", CHAT, content, headers)
    assert status
    return repr(found).encode() + answer


USAGE = {
    "prompt_tokens": 262_960,
    "completion_tokens": 7,
    "total_tokens": 262_967,
    "prompt_tokens_details": {"cached_tokens": 257_955},
}


class Meanwhile(list[bytes]):
    """Pieces of an answer; something happens before the first of the first answer."""

    def __init__(self, pieces: list[bytes], happens: Callable[[], None]) -> None:
        super().__init__(pieces)
        self.happens: list[Callable[[], None]] = [happens]

    def __iter__(self) -> Iterator[bytes]:
        while self.happens:
            self.happens.pop()()
        return super().__iter__()


def test_scenario_18_price_classes(gateway: GatewayProcess, world: World) -> None:
    """Cached tokens are priced once; a new price changes what is admitted after it, and nothing
    that is being answered."""

    def new_price() -> None:
        world.models["large"] = msgspec.structs.replace(
            price, price_in=1_000_000, price_version="price_new"
        )
        world.change_grant()

    answer = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}}],
        "usage": USAGE,
    }
    text = "x" * 262_960
    with ScriptedSite(Meanwhile([whole(msgspec.json.encode(answer))], new_price)) as site:
        world.endpoint("large", target("large", site.url, "large"), context_tokens=10**6)
        price = msgspec.structs.replace(
            world.models["large"], price_in=3_000_000, price_cached=300_000, price_out=15_000_000
        )
        world.models["large"] = price
        world.publish()
        wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

        def ask() -> int:
            messages = [{"role": "user", "content": text}]
            return gateway.chat("large", messages=messages, max_tokens=10)[0]

        assert [ask(), ask()] == [200, 200]

    first, second = world.settled(2)
    cached, out = -(-257_955 * 3 // 10), 7 * 15
    assert first.cost_micro == 5_005 * 3 + cached + out
    assert second.cost_micro == 5_005 * 1 + cached + out
    assert (first.price_version, second.price_version) == ("price_gate", "price_new")
    assert first.hold_micro >= first.cost_micro  # held by the same prices
    assert world.standing().spent == first.cost_micro + second.cost_micro
