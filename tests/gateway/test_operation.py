"""A gateway in operation: reloaded, drained, run as several processes, traced."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local import ports
from portal.admission import keys
from portal.gateway import tracing
from portal.gateway.config import ConfigMissing, environment, from_environment, reloaded
from portal.gateway.request import Request
from portal.routing import demand
from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, target, wait_until

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Streaming(threading.Thread):
    """A stream that is read to its end in a thread."""

    def __init__(self, gateway: GatewayProcess, tokens: int = 40) -> None:
        super().__init__(daemon=True)
        self.gateway = gateway
        self.tokens = tokens
        self.seen: list[str] = []

    def run(self) -> None:
        with self.gateway.openai().chat.completions.create(
            model="long",
            messages=[{"role": "user", "content": "x"}],
            max_tokens=self.tokens,
            stream=True,
        ) as stream:
            for chunk in stream:
                self.seen += [one.finish_reason or "" for one in chunk.choices]


@pytest.fixture
def long(world: World, upstream: Upstream) -> World:
    world.endpoint("long", target("long", upstream.url, "long"))
    world.publish()
    return world


def began(stream: Streaming) -> Callable[[], bool]:
    return lambda: len(stream.seen) > 2


def test_reads_its_settings_again_without_dropping_a_stream(
    start: Any, long: World, tmp_path: Path
) -> None:
    file = tmp_path / "settings"
    file.write_text("DURE_GATEWAY_BODY_BYTES=100000\n")
    gateway = start(DURE_GATEWAY_SETTINGS=str(file))
    stream = Streaming(gateway)
    stream.start()
    wait_until(began(stream))
    assert gateway.chat("smollm2", user="x")[0] == 200

    file.write_text("# smaller\nDURE_GATEWAY_BODY_BYTES = 50\nDURE_GATEWAY_PORT=1\n")
    gateway.process.send_signal(signal.SIGHUP)

    wait_until(lambda: gateway.chat("smollm2")[0] == 413)
    stream.join(20)
    assert stream.seen[-1] == "length" or "stop" in stream.seen
    assert b'"need_a_new_process":["port","gateway_id"]' in gateway.log.read_bytes()


def test_keeps_its_settings_when_the_new_ones_are_wrong(start: Any, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("")
    gateway = start(DURE_GATEWAY_SETTINGS=str(file))

    file.write_text("DURE_GATEWAY_BODY_BYTES=much\n")
    gateway.process.send_signal(signal.SIGHUP)

    wait_until(lambda: b"settings.refused" in gateway.log.read_bytes())
    assert gateway.chat("smollm2")[0] == 200


def test_names_what_a_running_gateway_cannot_change(tmp_path: Path) -> None:
    given = {"VALKEY_URL": "redis://x", "DURE_SEAL_KEYS": "k", "DURE_JOURNAL_DIR": str(tmp_path)}
    before = from_environment(given)
    after = from_environment(given | {"VALKEY_URL": "redis://y", "DURE_GATEWAY_MOST_OPEN": "7"})

    found, waiting = reloaded(before, after)

    assert (found.valkey_url, found.most_open, waiting) == ("redis://x", 7, ["valkey_url"])


@pytest.mark.parametrize("seconds", ["0", "21", "-1", "1.5"])
def test_refuses_leases_that_would_end_before_they_are_renewed(
    tmp_path: Path, seconds: str
) -> None:
    given = {"VALKEY_URL": "redis://x", "DURE_SEAL_KEYS": "k", "DURE_JOURNAL_DIR": str(tmp_path)}

    with pytest.raises(ConfigMissing, match="DURE_GATEWAY_RENEW_SECONDS"):
        from_environment(given | {"DURE_GATEWAY_RENEW_SECONDS": seconds})


def test_says_that_the_file_of_settings_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURE_GATEWAY_SETTINGS", "/nowhere/settings")

    with pytest.raises(ConfigMissing, match="DURE_GATEWAY_SETTINGS"):
        environment()


def test_drains_before_it_stops(start: Any, long: World) -> None:
    gateway = start()
    stream = Streaming(gateway)
    stream.start()
    wait_until(began(stream))

    gateway.process.send_signal(signal.SIGTERM)

    wait_until(lambda: gateway.get("/ready")[0] == 503)
    status, headers, answer = gateway.chat("smollm2")
    assert (status, answer["error"]["code"]) == (503, "admission_unavailable")
    assert headers["connection"] == "close"
    stream.join(20)
    assert stream.seen[-1]
    assert gateway.process.wait(10) == 0
    gateway.process = None
    long.settled(1)


def status_of(gateway: GatewayProcess) -> int:
    """Of a chat; 0 if nobody answered."""
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "x"}]}
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {gateway.world.key}",
    }
    return gateway.send("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)[0]


def heard(world: World) -> set[str]:
    """Names of the gateways that beat."""
    raw: Any = world.client.hgetall(keys.DEMAND)
    return {demand.decode(one).gateway for one in raw.values()}


@pytest.mark.story
def test_runs_as_several_processes_on_one_port(start: Any, world: World) -> None:
    # A port for each process, where the system gives none to connections: the next one after a port
    # that it has chosen is soon somebody's, and then the second process can never begin.
    admin, _last = ports.free_range(2, random.randrange(15_000, 32_000))
    gateway = start(
        DURE_GATEWAY_PROCESSES="2", DURE_GATEWAY_ID="many", DURE_GATEWAY_ADMIN_PORT=str(admin)
    )
    wait_until(lambda: {"many-0", "many-1"} <= heard(world))
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    first, *others = [int(one) for one in children.read_text().split()]

    os.kill(first, signal.SIGKILL)

    for _ in range(20):  # a connection that went to the dead one is refused, none is left hanging
        assert status_of(gateway) in (200, 0, 503)
    wait_until(lambda: len(children.read_text().split()) == 2 > len(others))
    wait_until(lambda: [status_of(gateway) for _ in range(8)] == [200] * 8)
    own = GatewayProcess(world, gateway.folder)
    own.url = f"http://127.0.0.1:{admin}"
    wait_until(lambda: own.get("/ready")[0] == 200)
    assert b"dure_requests_total" in own.send("GET", "/metrics", None, {})[2]
    wait_until(lambda: world.held() == 0)


@pytest.mark.parametrize(
    ("parent", "state", "passed"),
    [
        (PARENT, b"", b"traceparent: %b\r\n" % PARENT),
        (PARENT, b"a=1,b=2", b"traceparent: %b\r\ntracestate: a=1,b=2\r\n" % PARENT),
        (PARENT, b"a=" + b"x" * 600, b"traceparent: %b\r\n" % PARENT),
        (PARENT.upper(), b"a=1", b""),
        (b"ff" + PARENT[2:], b"", b""),
        (PARENT.replace(b"4bf92f3577b34da6a3ce929d0e0e4736", b"0" * 32), b"", b""),
        (PARENT.replace(b"00f067aa0ba902b7", b"0" * 16), b"", b""),
        (PARENT + b"-00", b"", b""),
        (b"", b"a=1", b""),
    ],
)
def test_passes_only_a_well_formed_trace(parent: bytes, state: bytes, passed: bytes) -> None:
    request = Request("127.0.0.1")
    if parent:
        request.headers[b"traceparent"] = parent
    if state:
        request.headers[b"tracestate"] = state

    assert tracing.lines(request) == passed


def test_a_trace_reaches_the_site_and_the_log(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "x"}]}

    assert gateway.post("/v1/chat/completions", body, traceparent=PARENT.decode())[0] == 200

    assert upstream.engine.heard[-1].headers["traceparent"] == PARENT.decode()
    wait_until(lambda: b"4bf92f3577b34da6a3ce929d0e0e4736" in gateway.log.read_bytes())
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if "trace" in line]
    assert lines[-1]["trace"] == "4bf92f3577b34da6a3ce929d0e0e4736"
