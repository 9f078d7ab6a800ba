"""Gateways and Valkeys that are killed, stopped and restarted: nothing lost, nothing doubled."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import valkey as valkey_server
from portal.admission import keys
from tests.fakes.upstream import Upstream
from tests.gateway.world import CELL, GatewayProcess, World, free_port, target, wait_until


class OwnValkey:
    """A server with the product's configuration, which a test may stop or kill."""

    def __init__(self, folder: Path) -> None:
        self.server = valkey_server.Server(folder, free_port(), secrets.token_hex(8), always=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.server.command(), stdout=subprocess.DEVNULL)
        self.server.wait()

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    found = OwnValkey(tmp_path / "valkey")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def world(own_valkey: OwnValkey, upstream: Upstream, tmp_path: Path) -> Iterator[World]:
    from cryptography.fernet import Fernet

    found = World(own_valkey.server.url(), Fernet.generate_key().decode()).prepare()
    found.endpoint("smollm2", target("ok", upstream.url, "ok"))
    found.endpoint("slow", target("slow", upstream.url, "slow"))
    found.endpoint("long", target("long", upstream.url, "long"))
    found.publish()
    yield found
    found.close()


class Reader(threading.Thread):
    """A client that reads one stream to its end, whatever that is."""

    def __init__(self, gateway: GatewayProcess, model: str) -> None:
        super().__init__(daemon=True)
        self.gateway = gateway
        self.model = model
        self.seen = b""
        self.begun = threading.Event()
        self.start()

    def run(self) -> None:
        import http.client

        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": "안녕?"}],
            "stream": True,
            "max_tokens": 1000,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
        try:
            connection.request(
                "POST",
                "/v1/chat/completions",
                json.dumps(body),
                {
                    "content-type": "application/json",
                    "authorization": f"Bearer {self.gateway.world.key}",
                },
            )
            answer = connection.getresponse()
            while part := answer.read1(65536):
                self.seen += part
                if self.seen.count(b"data: ") > 3:
                    self.begun.set()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    @property
    def whole(self) -> bool:
        return self.seen.endswith(b"data: [DONE]\n\n")

    @property
    def error(self) -> str:
        last = self.seen.decode().rstrip("\n").split("\n\n")[-1]
        return str(json.loads(last[6:]).get("error", {}).get("code", ""))


def let_leases_end(world: World) -> None:
    """As if a minute had passed."""
    name = f"{keys.tag(CELL)}:leases"
    found: Any = world.client.zrange(name, 0, -1)
    world.client.zadd(name, dict.fromkeys(found, 1))


@pytest.mark.story
def test_frees_the_hold_of_a_gateway_that_was_killed(start: Any, world: World) -> None:
    first = start("first")
    reader = Reader(first, "long")
    assert reader.begun.wait(10)

    first.kill()
    reader.join(10)
    assert not reader.whole
    assert world.held() > 0
    let_leases_end(world)
    start("second")

    wait_until(lambda: world.held() == 0)
    assert world.events() == []
    orphans: Any = world.client.xrange(keys.orphans(CELL))
    assert len(orphans) == 1
    assert world.standing().spent == 0


@pytest.mark.story
@pytest.mark.parametrize("expired", [False, True])
def test_replays_what_was_answered_before_it_was_killed(
    start: Any, world: World, own_valkey: OwnValkey, expired: bool
) -> None:
    gateway = start("one")
    reader = Reader(gateway, "slow")
    assert reader.begun.wait(10)
    own_valkey.kill()  # so that no settle can arrive
    reader.join(10)
    assert reader.whole

    gateway.kill()
    own_valkey.start()
    assert world.held() > 0
    assert world.events() == []
    if expired:
        let_leases_end(world)
        world.expire()
    world.publish()
    gateway.start()

    [event] = world.settled(1)
    assert (event.outcome, event.counted, event.tokens_out) == ("answered", "reported", 6)
    assert world.standing().spent == event.cost_micro
    gateway.kill()
    gateway.start()  # acknowledged by now: nothing is told again
    time.sleep(1)
    assert len(world.events()) == 1


@pytest.mark.story
def test_refuses_within_300_ms_when_valkey_hangs(
    start: Any, world: World, own_valkey: OwnValkey
) -> None:
    gateway = start("one")
    assert gateway.chat("smollm2")[0] == 200
    reader = Reader(gateway, "slow")
    assert reader.begun.wait(10)

    own_valkey.send(signal.SIGSTOP)
    began = time.monotonic()
    status, headers, answer = gateway.chat("smollm2")
    took = time.monotonic() - began
    reader.join(10)
    time.sleep(1.5)  # longer than one try to tell Valkey: it must be told again
    own_valkey.send(signal.SIGCONT)

    print(f"figure refused_while_valkey_hangs {took * 1000:.0f} ms")
    assert (status, answer["error"]["code"]) == (503, "admission_unavailable")
    assert headers["retry-after"] == "1"
    assert took < 1  # the promise is 300 ms; what a busy test machine adds is not ours
    assert reader.whole  # running answers finish
    assert len(world.settled(2)) == 2  # and the hold that may have been made is free again
    wait_until(lambda: gateway.chat("smollm2")[0] == 200)


@pytest.mark.story
def test_refuses_after_a_restart_of_valkey_until_it_is_validated(
    start: Any, world: World, own_valkey: OwnValkey
) -> None:
    gateway = start("one")
    assert gateway.chat("smollm2")[0] == 200
    world.settled(1)

    own_valkey.kill()
    status, _, answer = gateway.chat("smollm2")
    assert (status, answer["error"]["code"]) == (503, "admission_unavailable")
    own_valkey.start()
    wait_until(lambda: "restarted" in str(gateway.get("/ready")[1].get("because")))
    assert gateway.chat("smollm2")[0] == 503
    world.publish()

    wait_until(lambda: gateway.chat("smollm2")[0] == 200)
    assert len(world.settled(2)) == 2  # told again after the restart, booked once


@pytest.mark.story
def test_waits_for_a_valkey_that_is_down_at_the_start(
    start: Any, world: World, own_valkey: OwnValkey
) -> None:
    own_valkey.kill()

    gateway = start("one", ready=False)

    assert gateway.get("/ready")[0] == 503
    assert "cannot be reached" in gateway.get("/ready")[1]["because"]
    assert gateway.chat("smollm2")[0] == 503
    own_valkey.start()
    world.publish()
    wait_until(lambda: gateway.chat("smollm2")[0] == 200)


@pytest.mark.story
def test_lets_answers_finish_before_it_stops(start: Any, world: World) -> None:
    gateway = start("one")
    readers = [Reader(gateway, "slow") for _ in range(20)]
    assert all(reader.begun.wait(10) for reader in readers)

    gateway.stop()
    for reader in readers:
        reader.join(10)

    assert all(reader.whole for reader in readers)
    assert len(world.settled(20)) == 20


@pytest.mark.story
def test_says_so_when_it_must_stop_before_the_end(start: Any, world: World) -> None:
    gateway = start("one", DURE_GATEWAY_DRAIN_SECONDS="1")
    reader = Reader(gateway, "long")
    assert reader.begun.wait(10)

    gateway.stop()
    reader.join(10)

    assert not reader.whole
    assert reader.error == "admission_unavailable"
    [event] = world.settled(1)
    assert (event.outcome, event.counted) == ("cut_short", "counted")


@pytest.mark.story
def test_ends_a_stream_whose_key_was_revoked(start: Any, world: World) -> None:
    gateway = start("one", DURE_GATEWAY_RENEW_SECONDS="1")
    reader = Reader(gateway, "long")
    assert reader.begun.wait(10)

    world.change_grant(revoked=True)
    reader.join(10)

    assert not reader.whole
    assert reader.error == "key_no_longer_valid"
    [event] = world.settled(1)
    assert event.outcome == "cut_short"
    assert event.tokens_out > 0


@pytest.mark.story
def test_two_gateways_never_spend_more_than_the_budget(start: Any, world: World) -> None:
    gateways = [start("first"), start("second")]
    limit = 2000
    world.limit("prj_gate", limit)
    found: list[int] = []

    def ask(number: int) -> None:
        for _ in range(10):
            found.append(gateways[number % 2].chat("smollm2", max_tokens=20)[0])
            used = world.standing("prj_gate")
            assert used.spent + used.held <= limit

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert set(found) == {200, 429}
    events = world.settled(found.count(200))
    assert sum(event.cost_micro for event in events) == world.standing("prj_gate").spent <= limit
