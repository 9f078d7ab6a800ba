"""Failures of other gateways, told as tests: how requests end, and that holds do.

Each test has the number of its scenario; ``tests.gateway.test_scenarios`` has the list.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.fakes.upstream import Upstream
from tests.gateway.bad_input.row import KEY, chat
from tests.gateway.bad_input.site import HEAD, ScriptedSite, framed
from tests.gateway.bad_input.wire import Wire
from tests.gateway.test_stories import OwnValkey, let_leases_end
from tests.gateway.world import GatewayProcess, World, target, wait_until

Start = Callable[..., GatewayProcess]
STREAMS = 200
SEED = 20261126


def asking(world: World, **fields: Any) -> bytes:
    return chat(**fields).replace(KEY, world.key.encode())


def until(wire: Wire, events: int) -> bytes:
    """Read so many events of a stream, as they come."""
    seen = b""
    while seen.count(b"data: ") < events:
        part = wire.socket.recv(65536)
        if not part:
            break
        seen += part
    return seen


def event(content: str = "", finish: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]
    chunk = {"object": "chat.completion.chunk", "choices": choices} | more
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def publish(world: World, gateway: GatewayProcess, name: str, *targets: Any) -> None:
    world.endpoint(name, *targets)
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)


@pytest.mark.story
def test_scenario_04_reservation_leak(start: Start, world: World, upstream: Upstream) -> None:
    """Streams that are left at random points, and a gateway that is killed under some of them:
    when the leases have ended nothing is held, and who has a budget is let in."""
    world.endpoint("long", target("long", upstream.url, "long"))
    world.publish()
    gateways = [start("first"), start("second")]
    rng = random.Random(SEED)

    def leave(port: int, after: int) -> None:
        with Wire(port) as wire:
            wire.send(asking(world, model="long", stream=True, max_tokens=1000))
            until(wire, after)

    def visit(numbers: list[tuple[int, int]]) -> None:
        for port, after in numbers:
            try:
                leave(port, after)
            except (TimeoutError, OSError):
                return  # the gateway was killed

    plan = [(rng.choice(gateways).port, rng.randrange(0, 12)) for _ in range(STREAMS)]
    threads = [threading.Thread(target=visit, args=(plan[n::20],)) for n in range(20)]
    for one in threads:
        one.start()
    wait_until(lambda: len(upstream.engine.heard) > STREAMS // 3, 30)
    gateways[1].kill()
    for one in threads:
        one.join(60)

    let_leases_end(world)
    wait_until(lambda: world.held() == 0, 20)
    wait_until(lambda: upstream.engine.open <= 1, 20)
    assert gateways[0].chat("smollm2")[0] == 200
    wait_until(lambda: world.held() == 0)
    spent = sum(event.cost_micro - event.written_off_micro for event in world.events())
    assert world.standing().spent == spent


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    found = OwnValkey(tmp_path / "valkey")
    found.start()
    yield found
    found.kill()


@pytest.mark.story
@pytest.mark.parametrize(
    "command",
    [
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
    ],
    ids=("too few replicas", "full", "read-only"),
)
def test_scenario_05_fail_closed(
    own_valkey: OwnValkey, upstream: Upstream, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The store answers reads and refuses writes: 503, and no site is asked."""
    world = World(own_valkey.server.url(), Fernet.generate_key().decode()).prepare()
    world.endpoint("smollm2", target("ok", upstream.url, "ok"))
    world.publish()
    gateway = GatewayProcess(world, tmp_path).start()
    try:
        assert gateway.chat("smollm2")[0] == 200
        world.settled(1)

        world.client.execute_command(*command)
        found = [gateway.chat("smollm2") for _ in range(5)]

        assert {status for status, _, _ in found} == {503}
        assert {answer["error"]["code"] for _, _, answer in found} == {"admission_unavailable"}
        assert all(int(headers["retry-after"]) >= 1 for _, headers, _ in found)
        assert len(upstream.engine.heard) == 1
        assert world.standing().held == 0
    finally:
        gateway.stop()
        world.close()


def test_scenario_06_client_aborts_stream(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    """Of 500 tokens the client takes 50: one event with about so many, and the site stops."""
    publish(world, gateway, "long", target("long", upstream.url, "long"))

    with Wire(gateway.port) as wire:
        wire.send(asking(world, model="long", stream=True, max_tokens=500))
        until(wire, 51)

    [usage] = world.settled(1)
    wait_until(lambda: upstream.engine.stopped == 1 and upstream.engine.open == 0)
    assert (usage.outcome, usage.counted) == ("client_left", "counted")
    assert 50 <= usage.tokens_out < 100
    assert world.standing().spent == usage.cost_micro > 0


def test_scenario_07_client_aborts_non_stream(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    """Nothing of the answer had come, so nobody knows what was produced: the site is stopped, the
    hold ends once, the request stands in the log, and no number is invented."""
    publish(world, gateway, "slow", target("slow", upstream.url, "hang"))

    with Wire(gateway.port) as wire:
        wire.send(asking(world, model="slow", max_tokens=500))
        wait_until(lambda: len(upstream.engine.heard) == 1)

    wait_until(lambda: world.held() == 0 and upstream.engine.open == 0)
    wait_until(lambda: '"status":499' in gateway.log.read_text())
    for usage in world.events():
        assert (usage.counted, usage.cost_micro, usage.outcome) == ("none", 0, "client_left")
    assert len(world.events()) <= 1
    assert world.standing().spent == 0


ZERO = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    ("more", "counted", "tokens"), [({"usage": ZERO}, "reported", 0), ({}, "counted", 3)]
)
def test_scenario_08_zero_is_not_missing(
    gateway: GatewayProcess, world: World, more: dict[str, Any], counted: str, tokens: int
) -> None:
    """A site that reports zero is believed when the client leaves; one that reports nothing is
    counted."""
    chunks = [event("a", **more), event("b", **more), event("c", **more)]
    with ScriptedSite([HEAD, framed(*chunks)], hold=True) as site:
        publish(world, gateway, "odd", target("odd", site.url, "odd"))
        with Wire(gateway.port) as wire:
            wire.send(asking(world, model="odd", stream=True))
            until(wire, 3)
        [usage] = world.settled(1)

    assert (usage.outcome, usage.counted, usage.tokens_out) == ("client_left", counted, tokens)
    assert (usage.cost_micro == 0) is (counted == "reported")


def test_scenario_09_upstream_dies_mid_stream(gateway: GatewayProcess, world: World) -> None:
    """40 of 60 chunks: an error event, no [DONE], what came is charged, nobody begins again."""
    head = [event(str(number)) for number in range(40)]
    with ScriptedSite([HEAD, framed(*head)]) as site, ScriptedSite([HEAD]) as spare:
        first = target("first", site.url, "x", weight=10_000)
        second = target("spare", spare.url, "x", state="degraded")
        publish(world, gateway, "dying", first, second)
        with Wire(gateway.port) as wire:
            wire.send(asking(world, model="dying", stream=True, max_tokens=60))
            answer = wire.answer()
        [usage] = world.settled(1)

    assert answer is not None and answer.status == 200
    events = [one for one in answer.content.split(b"\n\n") if one]
    assert len(events) == 41 and b"[DONE]" not in answer.content
    assert json.loads(events[-1][6:])["error"]["code"] == "stream_interrupted"
    assert (usage.outcome, usage.counted, usage.tokens_out) == ("site_failed", "counted", 40)
    assert (usage.attempts, site.heard, spare.heard) == (1, 1, 0)
    assert world.standing().spent == usage.cost_micro > 0


def test_scenario_10_failover_charges_once(
    start: Start, world: World, upstream: Upstream, other_upstream: Upstream
) -> None:
    """A site takes the request and is silent; another answers: one charge, both attempts known."""
    silent = target("silent", upstream.url, "hang", weight=10_000)
    good = target("good", other_upstream.url, "ok", site="gwangju-1", state="degraded")
    world.endpoint("two", silent, good)
    world.endpoint("dead", *(target(f"dead-{n}", upstream.url, "hang") for n in range(6)))
    world.publish()
    gateway = start(DURE_GATEWAY_FIRST_BYTE_SECONDS="1")

    status, _, _ = _stream(gateway, "two")
    [usage] = world.settled(1)
    heard = len(upstream.engine.heard)
    assert (status, usage.site, usage.attempts, usage.outcome) == (200, "gwangju-1", 2, "answered")
    assert (heard, len(other_upstream.engine.heard)) == (1, 1)
    assert world.standing().spent == usage.cost_micro
    log = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    failed = [line for line in log if line["event"] == "site.failed"]
    assert [(line["target"], line["attempt"]) for line in failed] == [("plc_silent", 1)]
    assert failed[0]["request_id"] == usage.request_id

    assert _stream(gateway, "dead")[0] == 504
    assert len(upstream.engine.heard) - heard == 3  # one budget of attempts, whatever was tried
    wait_until(lambda: world.held() == 0)
    assert len(world.events()) == 1


def _stream(gateway: GatewayProcess, model: str) -> tuple[int, dict[str, str], bytes]:
    with Wire(gateway.port) as wire:
        wire.send(asking(gateway.world, model=model, stream=True))
        answer = wire.answer()
    assert answer is not None
    return answer.status, answer.headers, answer.content
