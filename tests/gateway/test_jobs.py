"""Lines of jobs at the gateway: who may send them, what they cost, that they wait for nobody."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from portal.lib import passes
from portal.lib.ids import hash_api_key
from portal.lib.passes import SECONDS, Pass
from portal.usage.events import RUN_AGAIN
from tests.fakes.upstream import Upstream
from tests.gateway.world import ORG_CODE, GatewayProcess, World, target, wait_until

PATH = "/v1/chat/completions"


def body(model: str = "smollm2") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "안녕?"}]}


def bearer(world: World, *, age: int = 0, free: bool = False, sha256: str = "") -> str:
    made_at = int(time.time()) - age
    one = Pass(ORG_CODE, sha256 or hash_api_key(world.key), "live", made_at, free)
    return "Bearer " + passes.write(one, world.seal_keys)


def send(gateway: GatewayProcess, world: World, key: str = "b:1:1", **changes: Any) -> Any:
    asked = body(changes.pop("model", "smollm2"))
    return gateway.post(PATH, asked, authorization=bearer(world, **changes), idempotency_key=key)


def answers(world: World) -> list[bytes]:
    return list(world.client.scan_iter("*:answer:*"))


def test_a_line_is_charged_under_its_key_and_kept_until_it_is_fetched(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.change_grant(addresses=("192.0.2.0/24",))  # asked when the job was created

    first = send(gateway, world)
    (event,) = world.settled(1)
    wait_until(lambda: len(answers(world)) == 1)
    second = send(gateway, world)

    assert (first[0], second[0], second[1]["idempotent-replayed"]) == (200, 200, "true")
    assert second[2] == first[2]
    assert (event.batch, event.replayable) == (True, True)
    assert event.cost_micro == world.standing().spent > 0
    assert len(upstream.engine.heard) == 1

    world.admission.forget_answers(ORG_CODE, [first[1]["x-request-id"]])
    third = send(gateway, world)

    assert answers(world) == []
    assert third[2]["error"]["outcome"] == "answered"
    assert third[2]["error"]["cost_krw"] == first[1]["x-dure-cost-krw"]


def test_a_line_that_is_run_again_because_of_us_is_free(
    gateway: GatewayProcess, world: World
) -> None:
    spent = world.standing().spent

    answer = send(gateway, world, free=True)
    (event,) = world.settled(1)

    assert (answer[0], answer[1]["x-dure-cost-krw"]) == (200, "0")
    assert (event.price_version, event.cost_micro) == (RUN_AGAIN, 0)
    assert event.tokens_out > 0
    assert world.standing().spent == spent


def test_a_pass_is_refused_as_any_wrong_key(gateway: GatewayProcess, world: World) -> None:
    stranger = {"sha256": "ab" * 32}
    for wrong in ({"age": SECONDS + 60}, stranger):
        status, _, found = send(gateway, world, **wrong)
        assert (status, found["error"]["code"]) == (401, "invalid_api_key")
    world.change_grant(revoked=True)
    assert send(gateway, world)[0] == 401


def test_a_line_takes_a_free_seat_and_never_waits(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    upstream.engine.think = 0.5
    world.endpoint("busy", target("one", upstream.url, "think", slots=1))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
    found: list[Any] = []
    people = [threading.Thread(target=lambda: found.append(gateway.chat("busy"))) for _ in range(2)]
    for one in people:
        one.start()
    wait_until(lambda: upstream.engine.thinking == 1)

    status, headers, answer = send(gateway, world, model="busy")

    assert (status, answer["error"]["code"]) == (429, "overloaded")
    assert headers["retry-after"].isdigit()
    for one in people:
        one.join(20)
    assert [one[0] for one in found] == [200, 200]
    assert send(gateway, world, model="busy")[0] == 200
    assert not any(json.dumps(one[2]).count("dure_pass") for one in found)
