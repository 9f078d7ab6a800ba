"""What a key may be used for, from where, and that its use is told."""

from __future__ import annotations

import time
from typing import Any

from portal.admission import keys
from tests.fakes.upstream import Upstream
from tests.gateway.world import CELL, ORG_CODE, GatewayProcess, World, wait_until

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "안녕?"}]}
PATH = "/v1/chat/completions"


def code(answer: Any) -> str:
    return str(answer["error"]["code"])


def test_calls_no_model_without_the_scope(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.change_grant(inference=False)

    status, _, answer = gateway.chat("smollm2")

    assert (status, code(answer)) == (403, "insufficient_scope")
    assert gateway.get("/v1/models", world.key)[0] == 403
    assert upstream.engine.heard == []
    assert world.held() == 0


def test_works_only_from_its_addresses(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    assert gateway.chat("smollm2")[0] == 200
    world.change_grant(addresses=("10.0.0.0/8",))

    status, _, answer = gateway.chat("smollm2")

    assert (status, code(answer)) == (403, "address_not_allowed")
    assert answer["error"]["address"] == "127.0.0.1"
    assert gateway.get("/v1/models", world.key)[0] == 403
    assert len(upstream.engine.heard) == 1
    wait_until(lambda: world.held() == 0)

    world.change_grant(addresses=("127.0.0.0/8",))
    assert gateway.chat("smollm2")[0] == 200


def test_believes_no_address_that_the_client_writes(gateway: GatewayProcess, world: World) -> None:
    world.change_grant(addresses=("10.0.0.0/8",))

    for name in ("X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded"):
        assert gateway.post(PATH, CHAT, **{name: "10.1.1.1"})[0] == 403, name


def test_believes_our_own_proxy_and_nobody_before_it(start: Any, world: World) -> None:
    world.change_grant(addresses=("10.0.0.0/8",))
    gateway = start(DURE_PROXIES="1")
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

    def ask(told: str) -> int:
        return int(gateway.post(PATH, CHAT, **{"X-Forwarded-For": told})[0])

    assert ask("203.0.113.9, 10.1.1.1") == 200  # the last entry is our proxy's word
    assert ask("10.1.1.1, 203.0.113.9") == 403
    assert ask("") == 403


def test_tells_when_and_from_where_a_key_was_used(gateway: GatewayProcess, world: World) -> None:
    before = time.time() * 1000 - 1000
    assert gateway.chat("smollm2")[0] == 200

    wait_until(lambda: world.grant.key in world.admission.last_uses(CELL))

    at_ms, address = world.admission.last_uses(CELL)[world.grant.key]
    assert before <= at_ms <= time.time() * 1000 + 1000
    assert address == "127.0.0.1"


def test_tells_no_use_of_a_key_that_was_refused(gateway: GatewayProcess, world: World) -> None:
    world.change_grant(revoked=True)

    assert gateway.chat("smollm2")[0] == 401
    time.sleep(1.2)

    assert world.admission.last_uses(CELL) == {}
    assert not world.client.exists(keys.seen(CELL)) and ORG_CODE


def test_a_revoked_key_is_refused_within_a_second(gateway: GatewayProcess, world: World) -> None:
    """Nothing is remembered beside Valkey's word: the very next request is refused."""
    for _ in range(20):
        assert gateway.chat("smollm2")[0] == 200
        world.change_grant(revoked=True)
        began = time.monotonic()
        assert gateway.chat("smollm2")[0] == 401
        assert time.monotonic() - began < 1.0
        world.change_grant()
