"""Sites that fail, and clients that leave: one attempt is charged, holds come back to zero."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, free_port, target, wait_until

Publish = Callable[..., None]


@pytest.fixture
def publish(world: World, gateway: GatewayProcess) -> Publish:
    """Let the model ``m`` be answered by these targets, and wait until the gateway knows."""

    def now(*targets: Any) -> None:
        world.endpoint("m", *targets)
        world.publish()
        wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

    return now


def stream(gateway: GatewayProcess, **more: Any) -> tuple[int, list[Any], bool]:
    """Status, the events of a stream, and whether [DONE] was among them."""
    body = {"model": "m", "messages": [{"role": "user", "content": "안녕?"}], "stream": True}
    status, _, content = gateway.send(
        "POST",
        "/v1/chat/completions",
        json.dumps(body | more).encode(),
        {
            "content-type": "application/json",
            "authorization": f"Bearer {gateway.world.key}",
        },
    )
    if status != 200:
        return status, [json.loads(content)], False
    lines = [line[6:] for line in content.decode().split("\n\n") if line]
    return status, [json.loads(line) for line in lines if line != "[DONE]"], "[DONE]" in lines


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("mood", ["drop", "garbage", "500", "busy"])
def test_repeats_elsewhere_and_charges_once(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    other_upstream: Upstream,
    mood: str,
    streaming: bool,
) -> None:
    name = f"bad-{mood}-{streaming}"  # a target that failed a moment ago is not tried first
    bad = target(name, upstream.url, mood, weight=100)
    good = target("good", other_upstream.url, "ok", site="gwangju-1", state="degraded")
    publish(bad, good)

    if streaming:
        status, _, whole = stream(gateway)
    else:
        status, headers, _ = gateway.chat("m")
        whole = headers["x-dure-site"] == "gwangju-1"

    assert (status, whole) == (200, True)
    [event] = world.settled(1)
    assert (event.site, event.attempts, event.outcome) == ("gwangju-1", 2, "answered")
    assert event.placement == "plc_good"


@pytest.mark.parametrize(
    ("mood", "status", "code"),
    [
        ("drop", 502, "site_failed"),
        ("garbage", 502, "site_failed"),
        ("500", 502, "site_failed"),
        ("busy", 503, "site_unavailable"),
        ("refuse", 400, "context_length_exceeded"),
    ],
)
def test_charges_nothing_when_nobody_answered(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    mood: str,
    status: int,
    code: str,
) -> None:
    publish(*(target(f"{n}", upstream.url, mood) for n in range(5)))

    for streaming in (True, False):
        found, _, answer = gateway.chat("m", stream=streaming)
        assert (found, answer["error"]["code"]) == (status, code)

    wait_until(lambda: world.held() == 0)
    assert world.events() == []
    tries = 1 if mood == "refuse" else 3
    assert len(upstream.engine.heard) == 2 * tries


def test_says_that_no_site_can_be_reached(
    gateway: GatewayProcess, world: World, publish: Publish
) -> None:
    publish(target("gone", f"http://127.0.0.1:{free_port()}", "ok"))

    status, _, answer = gateway.chat("m")

    assert (status, answer["error"]["code"]) == (503, "no_eligible_site")
    assert "daegu-1" in answer["error"]["message"]
    wait_until(lambda: world.held() == 0)


@pytest.mark.parametrize(("mood", "words"), [("die", 3), ("error-event", 2)])
def test_says_when_an_answer_is_cut_short(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    mood: str,
    words: int,
) -> None:
    publish(target("bad", upstream.url, mood), target("spare", upstream.url, mood))

    status, events, done = stream(gateway)

    assert (status, done) == (200, False)
    assert events[-1]["error"]["code"] == "stream_interrupted"
    assert "CUDA" not in str(events)
    [event] = world.settled(1)
    assert (event.outcome, event.counted, event.attempts) == ("site_failed", "counted", 1)
    assert event.tokens_out == words
    assert event.tokens_in == len("안녕?".encode()) // 4


@pytest.mark.parametrize(
    ("mood", "streaming", "counted", "out"),
    [
        ("no-usage", True, "counted", 6),
        ("no-usage", False, "none", 0),
        ("zero", True, "reported", 0),
        ("zero", False, "reported", 0),
    ],
)
def test_keeps_zero_and_missing_apart(
    gateway: GatewayProcess,
    world: World,
    publish: Publish,
    upstream: Upstream,
    mood: str,
    streaming: bool,
    counted: str,
    out: int,
) -> None:
    publish(target("odd", upstream.url, mood))

    if streaming:
        assert stream(gateway)[2]
    else:
        assert gateway.chat("m")[0] == 200

    [event] = world.settled(1)
    assert (event.counted, event.tokens_out, event.outcome) == (counted, out, "answered")


def test_ends_a_wait_for_a_silent_site(start: Any, world: World, upstream: Upstream) -> None:
    world.endpoint("m", target("silent", upstream.url, "hang"))
    world.publish()
    gateway = start(DURE_GATEWAY_FIRST_BYTE_SECONDS="1")

    began = time.monotonic()
    status, events, _ = stream(gateway)

    assert (status, events[0]["error"]["code"]) == (504, "site_timeout")
    assert time.monotonic() - began < 5
    wait_until(lambda: world.held() == 0)
    assert world.events() == []


def leaving(gateway: GatewayProcess, *, streaming: bool, after: int) -> None:
    """Send a request, read so many events of its answer, and hang up."""
    body = json.dumps(
        {
            "model": "m",
            "messages": [{"role": "user", "content": "안녕?"}],
            "stream": streaming,
            "max_tokens": 1000,
        }
    ).encode()
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
            % (gateway.world.key.encode(), len(body), body)
        )
        seen = b""
        while seen.count(b"data: ") < after:
            seen += client.recv(65536)
        if not after:
            wait_until(lambda: gateway.world.held() > 0)
            time.sleep(0.2)


def test_cuts_off_a_client_that_takes_nothing(start: Any, world: World, upstream: Upstream) -> None:
    upstream.engine.pause = 0
    world.endpoint("m", target("bench", upstream.url, "bench"), context_tokens=10**6)
    world.publish()
    gateway = start(DURE_GATEWAY_STUCK_SECONDS="1")
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 200_000}
    content = json.dumps(body | {"stream": True}).encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", gateway.port))
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
            % (world.key.encode(), len(content), content)
        )

        [event] = world.settled(1)

    assert event.outcome == "client_left"
    assert 0 < event.tokens_out < 200_000


@pytest.mark.parametrize("after", [1, 2, 3])
def test_bills_what_was_produced_when_the_client_leaves(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream, after: int
) -> None:
    publish(target("long", upstream.url, "long"))

    leaving(gateway, streaming=True, after=after)

    wait_until(lambda: world.held() == 0)
    wait_until(lambda: upstream.engine.stopped == 1 and upstream.engine.open == 0)
    [event] = world.settled(1)
    assert event.outcome == "client_left"
    if event.counted == "none":
        assert (after, event.tokens_out) == (1, 0)  # nothing but the role had come
    else:
        assert 1 <= event.tokens_out < 20


@pytest.mark.parametrize("streaming", [True, False])
def test_charges_nothing_when_the_client_leaves_first(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream, streaming: bool
) -> None:
    publish(target("silent", upstream.url, "hang"))

    leaving(gateway, streaming=streaming, after=0)

    wait_until(lambda: world.held() == 0 and upstream.engine.open == 0)
    [event] = world.settled(1)
    assert (event.outcome, event.counted, event.cost_micro) == ("client_left", "none", 0)
    assert len(upstream.engine.heard) == 1


def test_goes_on_when_a_kept_connection_was_closed(
    gateway: GatewayProcess, world: World, publish: Publish, upstream: Upstream
) -> None:
    publish(target("ok", upstream.url, "ok"))
    assert gateway.chat("m")[0] == 200

    upstream.cut()

    assert gateway.chat("m")[0] == 200
    assert len(world.settled(2)) == 2
