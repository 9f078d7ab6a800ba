"""Choosing as a client sees it: waits that end, sites that say when to come back, a site that
hangs, an endpoint that is still starting, requests alike that go where they were read before."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from portal.admission import keys
from portal.admission.grants import Grant
from portal.lib import ids
from portal.routing import demand
from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, target, wait_until

Publish = Callable[..., None]
Answer = tuple[int, dict[str, str], Any]


@pytest.fixture
def publish(world: World, gateway: GatewayProcess) -> Publish:
    """Let the model ``m`` be answered by these targets, and wait until the gateway knows."""

    def now(*targets: Any) -> None:
        world.endpoint("m", *targets)
        world.publish()
        knows(gateway)

    return now


def knows(gateway: GatewayProcess) -> None:
    number = gateway.world.number
    wait_until(lambda: gateway.get("/ready")[1].get("table") == number)


def gauge(gateway: GatewayProcess, name: str) -> float:
    text = gateway.send("GET", "/metrics", None, {})[2].decode()
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def at_once(count: int, call: Callable[[], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(call) for _ in range(count)]]


def test_never_asks_a_target_for_more_than_its_slots(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream
) -> None:
    upstream.engine.think = 0.1
    publish(target("two", upstream.url, "think", slots=2))

    answers = at_once(8, lambda: gateway.chat("m"))

    assert [status for status, _, _ in answers] == [200] * 8
    assert upstream.engine.most_thinking == 2
    waits = sorted(event.waited_ms for event in world.settled(8))
    assert waits[:2] == [0, 0]
    assert all(wait > 50 for wait in waits[2:])
    assert waits[-1] > 250


def test_divides_slots_among_gateways(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream
) -> None:
    upstream.engine.think = 0.1
    world.gateways = 2
    publish(target("four", upstream.url, "think", slots=4))

    answers = at_once(6, lambda: gateway.chat("m"))

    assert [status for status, _, _ in answers] == [200] * 6
    assert upstream.engine.most_thinking == 2


def test_refuses_early_when_too_many_wait(start: Any, world: World, upstream: Upstream) -> None:
    upstream.engine.think = 0.5
    world.endpoint("m", target("one", upstream.url, "think", slots=1))
    world.publish()
    gateway = start(DURE_GATEWAY_QUEUE_MOST_EACH="2")
    knows(gateway)

    answers = at_once(8, lambda: gateway.chat("m"))

    counts = Counter(status for status, _, _ in answers)
    assert counts == {200: 3, 429: 5}
    refused = [(headers, body) for status, headers, body in answers if status == 429]
    for headers, body in refused:
        assert body["error"]["code"] == "overloaded"
        assert int(headers["retry-after"]) >= 1
    assert len(upstream.engine.heard) == 3
    assert len(world.settled(3)) == 3


def test_a_wait_ends(start: Any, world: World, upstream: Upstream) -> None:
    world.endpoint("m", target("one", upstream.url, "slow", slots=1))
    world.publish()
    gateway = start(DURE_GATEWAY_QUEUE_SECONDS="1")
    knows(gateway)

    answers = at_once(2, lambda: gateway.chat("m"))

    assert sorted(status for status, _, _ in answers) == [200, 429]
    assert len(world.settled(1)) == 1


def test_a_client_that_leaves_gives_up_its_place(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream
) -> None:
    publish(target("one", upstream.url, "slow", slots=1))
    first = threading.Thread(target=lambda: gateway.chat("m"))
    first.start()
    wait_until(lambda: len(upstream.engine.heard) == 1)

    with hang_up_later(gateway):
        wait_until(lambda: gauge(gateway, "dure_waiting_requests") == 1)
        time.sleep(0.1)
    wait_until(lambda: gauge(gateway, "dure_waiting_requests") == 0)

    first.join()
    assert len(world.settled(1)) == 1
    assert len(upstream.engine.heard) == 1


def hang_up_later(gateway: GatewayProcess) -> socket.socket:
    """A request whose client closes the connection when the block is left."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    client = socket.create_connection(("127.0.0.1", gateway.port))
    client.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
        % (gateway.world.key.encode(), len(body), body)
    )
    return client


def other_key(world: World, organization: str) -> str:
    """A key of another organization, with budgets of its own, in the same cell or another."""
    code = organization[4:].ljust(8, "x")
    key = ids.mint_api_key(code)
    subjects = (organization, f"prj_{code}", f"key_{code}")
    for subject in subjects:
        world.number += 1
        world.admission.set_limit(
            code, subject=subject, limit_micro=10**9, hard=True, number=world.number
        )
    grant: Grant = msgspec.structs.replace(
        world.grant,
        organization=organization,
        org_code=code,
        project=subjects[1],
        key=subjects[2],
        budgets=subjects,
    )
    world.admission.publish_grants([(ids.hash_api_key(key), grant, False)])
    return key


def test_a_flood_of_one_organization_lets_another_through(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream
) -> None:
    upstream.engine.think = 0.1
    publish(target("two", upstream.url, "think", slots=2))
    quiet = other_key(world, "org_quiet")
    flood = [threading.Thread(target=lambda: gateway.chat("m")) for _ in range(20)]
    for one in flood:
        one.start()
    wait_until(lambda: gauge(gateway, "dure_waiting_requests") >= 15)

    status, _, _ = gateway.chat("m", authorization=f"Bearer {quiet}")
    served_before = len(upstream.engine.heard)

    for one in flood:
        one.join()
    assert status == 200
    assert served_before < 15  # 18 of the flood had come before it
    assert len(upstream.engine.heard) == 21


@pytest.mark.parametrize("mood", ["busy-7", "limited-7"])
def test_honours_when_a_site_wants_to_be_asked_again(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream, mood: str
) -> None:
    publish(target(f"full-{mood}", upstream.url, mood))

    first, second = gateway.chat("m"), gateway.chat("m")

    assert [one[0] for one in (first, second)] == [503, 503]
    assert first[1]["retry-after"] == "7"
    assert second[1]["retry-after"] in ("6", "7")
    assert second[2]["error"]["code"] == "site_unavailable"
    assert len(upstream.engine.heard) == 1
    wait_until(lambda: world.held() == 0)
    assert world.events() == []


def test_goes_elsewhere_while_a_site_wants_to_be_left_alone(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    other_upstream: Upstream,
) -> None:
    full = target("asks-later", upstream.url, "busy-7")
    publish(full, target("well", other_upstream.url, "ok", state="degraded"))

    answers = [gateway.chat("m") for _ in range(4)]

    assert [status for status, _, _ in answers] == [200] * 4
    assert len(upstream.engine.heard) == 1
    assert [event.attempts for event in world.settled(4)] == [2, 1, 1, 1]


def test_a_hung_site_delays_nobody_else(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    other_upstream: Upstream,
) -> None:
    publish(
        target("hung", upstream.url, "hang", slots=2, weight=10_000),
        target("well", other_upstream.url, "ok", slots=64),
    )
    held = [hang_up_later(gateway) for _ in range(20)]

    wait_until(lambda: len(upstream.engine.heard) == 2)
    wait_until(lambda: len(other_upstream.engine.heard) == 18)
    answers = [gateway.chat("m") for _ in range(20)]

    assert [status for status, _, _ in answers] == [200] * 20
    assert len(upstream.engine.heard) == 2
    for one in held:
        one.close()
    wait_until(lambda: world.held() == 0)


def test_leaves_a_hung_site_once_it_is_out_of_service(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    other_upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = target("well", other_upstream.url, "ok", site="gwangju-1", region="gwangju")
    hung = target("hung", upstream.url, "hang", weight=10_000)
    publish(hung)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gateway.chat, "m")
        wait_until(lambda: len(upstream.engine.heard) == 1)

        daegu, gwangju = world.sites
        out = msgspec.structs.replace(daegu, state="out")
        monkeypatch.setattr(world, "sites", (out, gwangju))
        publish(hung, far)

        assert waiting.result(20)[0] == 200
    [event] = world.settled(1)
    assert (event.site, event.attempts) == ("gwangju-1", 2)


def test_holds_a_request_until_the_first_replica_is_there(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream
) -> None:
    publish()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(gateway.chat, "m") for _ in range(2)]
        wait_until(lambda: wanted(world, gateway) == {"ep_m": 2})

        publish(target("fresh", upstream.url, "ok"))
        answers = [one.result() for one in waiting]

    assert [status for status, _, _ in answers] == [200, 200]
    assert all(event.waited_ms > 0 for event in world.settled(2))
    wait_until(lambda: wanted(world, gateway) == {})


def wanted(world: World, gateway: GatewayProcess) -> dict[str, int]:
    """What the gateway told last of who waits for which endpoint."""
    found: Any = world.client.hgetall(keys.DEMAND)
    told = [demand.decode(raw) for raw in found.values()]
    ours = [one for one in told if one.gateway.endswith(f"-{gateway.port}")]
    return {one.endpoint: one.waiting for two in ours for one in two.endpoints if one.waiting}


def test_says_that_nothing_has_started_in_time(start: Any, world: World) -> None:
    world.endpoint("m")
    world.publish()
    gateway = start(DURE_GATEWAY_COLD_SECONDS="1")
    knows(gateway)

    status, headers, body = gateway.chat("m")

    assert (status, body["error"]["code"]) == (503, "no_eligible_site")
    assert "no replica" in body["error"]["rule"]
    assert int(headers["retry-after"]) > 0
    wait_until(lambda: world.held() == 0)
    assert world.events() == []


def test_the_same_prompt_goes_where_it_was_read(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    other_upstream: Upstream,
) -> None:
    here = target("here", upstream.url, "ok")
    there = target("there", other_upstream.url, "ok")
    prompts = [f"{number}: 당신은 의원의 상담을 돕는 사람입니다. " * 9 for number in range(8)]

    def ask(prompt: str) -> None:
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": "x"}]
        assert gateway.chat("m", messages=messages)[0] == 200

    publish(here, msgspec.structs.replace(there, state="out"))
    for prompt in prompts[::2]:
        ask(prompt)
    publish(msgspec.structs.replace(here, state="out"), there)
    for prompt in prompts[1::2]:
        ask(prompt)
    publish(here, there)
    for prompt in prompts * 2:
        ask(prompt)

    world.settled(24)
    for engine, own in ((upstream.engine, prompts[::2]), (other_upstream.engine, prompts[1::2])):
        heard = [one.body["messages"][0]["content"] for one in engine.heard]
        assert heard == own * 3


def test_refuses_early_what_is_more_than_may_be_open(
    start: Any, world: World, upstream: Upstream
) -> None:
    upstream.engine.think = 1.0  # longer than five clients need to call
    world.endpoint("m", target("one", upstream.url, "think"))
    world.publish()
    gateway = start(DURE_GATEWAY_MOST_OPEN="2")
    knows(gateway)

    answers = at_once(5, lambda: gateway.chat("m"))

    assert Counter(status for status, _, _ in answers) == {200: 2, 429: 3}
    assert len(world.settled(2)) == 2
