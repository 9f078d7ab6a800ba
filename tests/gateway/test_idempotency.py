"""Idempotency-Key at the gateway: what a second request with the same key gets."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from portal.admission import keys
from portal.gateway import idempotency
from portal.gateway.request import Request
from portal.lib.ids import hash_api_key, mint_api_key
from portal.lib.sealing import SealBroken, seal_bytes, unseal_bytes
from tests.fakes.upstream import Upstream
from tests.gateway.bad_input.row import whole
from tests.gateway.bad_input.wire import Wire
from tests.gateway.world import CELL, GatewayProcess, World, target, wait_until

PATH = "/v1/chat/completions"
CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "안녕?"}]}


def ask(gateway: GatewayProcess, body: Any = CHAT, key: str = "one", **headers: str) -> Any:
    return gateway.post(PATH, body, idempotency_key=key, **headers)


def code(answer: Any) -> tuple[int, str]:
    return answer[0], answer[2]["error"]["code"]


def answers(world: World) -> list[bytes]:
    return list(world.client.scan_iter("*:answer:*"))


def stored(world: World, name: bytes) -> bytes:
    """A key and all that stands under it, as it is: a dump would be compressed."""
    client: Any = world.client
    read = {
        b"string": lambda: client.get(name),
        b"hash": lambda: b" ".join(one for pair in client.hgetall(name).items() for one in pair),
        b"set": lambda: b" ".join(client.smembers(name)),
        b"zset": lambda: b" ".join(client.zrange(name, 0, -1)),
        b"stream": lambda: b" ".join(
            one for _, fields in client.xrange(name) for pair in fields.items() for one in pair
        ),
    }
    return b"%b %b\n" % (name, read[client.type(name)]() or b"")


def test_an_ended_request_is_not_run_again(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    first = ask(gateway)
    world.settled(1)

    second = ask(gateway)

    said = second[2]["error"]
    assert code(second) == (409, "idempotency_key_used")
    assert said["request_id"] == first[1]["x-request-id"]
    assert said["cost_krw"] == first[1]["x-dure-cost-krw"]
    assert said["receipt"] == second[1]["x-dure-receipt"] == first[1]["x-dure-receipt"]
    assert (said["outcome"], second[1]["x-should-retry"]) == ("answered", "false")
    assert second[1]["x-request-id"] != said["request_id"]
    assert len(upstream.engine.heard) == 1
    world.settled(1)


def test_a_running_request_is_not_run_again(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.endpoint("slow", target("slow", upstream.url, "slow"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
    body = {**CHAT, "model": "slow"}
    found: list[Any] = []
    first = threading.Thread(target=lambda: found.append(ask(gateway, body)))
    first.start()
    wait_until(lambda: world.held() > 0)

    second = ask(gateway, body)
    first.join(20)

    assert code(second) == (409, "idempotency_key_in_use")
    assert second[1]["retry-after"] == "1"
    assert "x-should-retry" not in second[1]
    assert found[0][0] == 200
    assert second[2]["error"]["request_id"] == found[0][1]["x-request-id"]
    assert len(upstream.engine.heard) == 1


def test_a_request_whose_client_left_is_not_run_again(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    """A site was asked, so it was not refused before."""
    world.endpoint("slow", target("slow", upstream.url, "hang"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
    body = {**CHAT, "model": "slow"}
    content = json.dumps(body).encode()
    authority = b"authorization: Bearer %b" % world.key.encode()
    with Wire(gateway.port) as wire:
        wire.send(whole(PATH, content, b"idempotency-key: one", authority=authority))
        wait_until(lambda: len(upstream.engine.heard) == 1)
    world.settled(1)

    second = ask(gateway, content)

    assert code(second) == (409, "idempotency_key_used")
    assert (second[2]["error"]["outcome"], second[2]["error"]["cost_krw"]) == ("client_left", "0")
    assert len(upstream.engine.heard) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, {**CHAT, "max_tokens": 3}),
        (PATH, json.dumps(CHAT, separators=(", ", ": ")).encode() + b" "),
        ("/v1/embeddings", {"model": "e5", "input": "x"}),
    ],
)
def test_another_request_under_the_key_is_refused(
    gateway: GatewayProcess, world: World, path: str, body: Any
) -> None:
    first = ask(gateway)

    second = gateway.post(path, body, idempotency_key="one")

    assert code(second) == (422, "idempotency_key_reused")
    assert second[2]["error"]["request_id"] == first[1]["x-request-id"]


@pytest.mark.parametrize("mood", ["refuse", "500", "drop", "busy"])
def test_a_request_of_which_nothing_came_frees_the_key(
    gateway: GatewayProcess, world: World, upstream: Upstream, mood: str
) -> None:
    world.endpoint("broken", target("broken", upstream.url, mood))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
    body = {**CHAT, "model": "broken"}

    statuses = []
    for _ in range(2):
        statuses.append(ask(gateway, body)[0])
        wait_until(lambda: world.held() == 0)

    assert statuses[0] == statuses[1]
    assert statuses[0] in (400, 502, 503)
    assert ask(gateway)[0] == 200  # another body: the key is free


def test_a_refused_request_frees_the_key(gateway: GatewayProcess, world: World) -> None:
    world.limit("prj_gate", 1)
    assert ask(gateway)[0] == 429
    world.limit("prj_gate", 1_000_000)

    assert ask(gateway, {**CHAT, "max_tokens": 3})[0] == 200


def test_keys_of_other_api_keys_are_other_keys(gateway: GatewayProcess, world: World) -> None:
    other = mint_api_key(world.grant.org_code)
    world.admission.publish_grants([(hash_api_key(other), world.grant, False)])

    assert ask(gateway)[0] == 200
    assert ask(gateway, {**CHAT, "max_tokens": 3}, authorization=f"Bearer {other}")[0] == 200


def test_another_address_or_body_is_another_request() -> None:
    def marks(path: str, body: bytes) -> tuple[str, str]:
        request = Request("127.0.0.1")
        request.path, request.body = path, body
        request.headers[b"idempotency-key"] = b"one"
        found = idempotency.read(request, "of a key")
        assert found is not None
        return found.mark

    (key, one), (same, again) = marks(PATH, b"{}"), marks(PATH, b"{}")
    others = [marks(PATH, b"[]"), marks("/v1/responses", b"{}")]

    assert (key, one) == (same, again)
    assert {name for name, _ in others} == {key}
    assert one not in {fingerprint for _, fingerprint in others}


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "caf\u00e9", "tab\there"])
def test_a_key_that_is_none_is_refused(
    gateway: GatewayProcess, upstream: Upstream, key: str
) -> None:
    found = ask(gateway, key=key)

    assert code(found) == (400, "invalid_idempotency_key")
    assert found[2]["error"]["param"] == "Idempotency-Key"
    assert upstream.engine.heard == []


def test_the_longest_key_is_taken(gateway: GatewayProcess, world: World) -> None:
    assert ask(gateway, key="~" * 255)[0] == 200


def test_two_headers_are_refused(gateway: GatewayProcess, world: World) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.putrequest("POST", PATH)
    content = json.dumps(CHAT).encode()
    for name, value in (
        ("content-type", "application/json"),
        ("authorization", f"Bearer {world.key}"),
        ("content-length", str(len(content))),
        ("idempotency-key", "one"),
        ("idempotency-key", "one"),
    ):
        connection.putheader(name, value)
    connection.endheaders(content)

    answer = connection.getresponse()

    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (
        400,
        "invalid_idempotency_key",
    )
    connection.close()


def test_a_stream_is_not_run_again(gateway: GatewayProcess, world: World) -> None:
    world.change_grant(replay_seconds=600)
    body = {**CHAT, "stream": True}
    given = {"content-type": "application/json", "authorization": f"Bearer {world.key}"}
    given["idempotency-key"] = "one"
    status, first, content = gateway.send("POST", PATH, json.dumps(body).encode(), given)
    assert (status, content.endswith(b"data: [DONE]\n\n")) == (200, True)
    world.settled(1)

    second = ask(gateway, json.dumps(body).encode())

    assert code(second) == (409, "idempotency_key_used")
    assert second[2]["error"]["request_id"] == first["x-request-id"]
    assert answers(world) == []


# Replays.


def test_an_answer_is_replayed_where_the_project_wants_it(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.change_grant(replay_seconds=120)
    first = ask(gateway)
    wait_until(lambda: bool(answers(world)))

    second = ask(gateway)

    assert (second[0], second[2]) == (200, first[2])
    assert second[1]["idempotent-replayed"] == "true"
    for name in ("x-request-id", "x-dure-receipt", "x-dure-site", "x-dure-cost-krw"):
        assert second[1][name] == first[1][name]
    assert "x-ratelimit-remaining-requests" not in second[1]
    assert "x-dure-budget-remaining-krw" not in second[1]
    assert "idempotent-replayed" not in first[1]
    assert len(upstream.engine.heard) == 1
    assert len(world.settled(1)) == 1  # no charge
    assert ask(gateway, {**CHAT, "max_tokens": 3})[0] == 422


def test_nothing_is_kept_where_nobody_asked_for_it(gateway: GatewayProcess, world: World) -> None:
    ask(gateway)
    world.change_grant(replay_seconds=120)
    gateway.chat("smollm2")  # without a key
    world.settled(2)
    time.sleep(0.1)

    assert answers(world) == []


@pytest.mark.parametrize(("wanted", "kept"), [(5, 5), (86_400, 600)])
def test_answers_are_kept_ten_minutes_at_most(
    gateway: GatewayProcess, world: World, wanted: int, kept: int
) -> None:
    world.change_grant(replay_seconds=wanted)
    ask(gateway)
    wait_until(lambda: bool(answers(world)))

    assert kept - 5 < world.client.ttl(answers(world)[0]) <= kept


def test_what_is_kept_says_nothing_to_who_reads_the_server(
    gateway: GatewayProcess, world: World
) -> None:
    world.change_grant(replay_seconds=120)
    first = ask(gateway, key="the-client's-own-key")
    wait_until(lambda: bool(answers(world)))

    everything = b"".join(stored(world, name) for name in world.client.scan_iter("*"))

    text = first[2]["choices"][0]["message"]["content"]
    assert text
    assert text.encode() not in everything
    assert b"the-client's-own-key" not in everything
    sealed = world.client.get(keys.answer(CELL, first[1]["x-request-id"]))
    with pytest.raises(SealBroken):
        unseal_bytes(sealed, world.seal_keys, b"")


def test_an_answer_that_was_tampered_with_is_not_told(
    gateway: GatewayProcess, world: World
) -> None:
    world.change_grant(replay_seconds=120)
    ask(gateway)
    wait_until(lambda: bool(answers(world)))
    name = answers(world)[0]
    sealed = world.client.get(name)
    world.client.set(name, sealed[:-1] + bytes([sealed[-1] ^ 1]), keepttl=True)

    assert code(ask(gateway)) == (409, "idempotency_key_used")


def test_an_answer_that_is_gone_is_a_receipt(gateway: GatewayProcess, world: World) -> None:
    world.change_grant(replay_seconds=120)
    first = ask(gateway)
    wait_until(lambda: bool(answers(world)))
    world.client.delete(answers(world)[0])

    second = ask(gateway)

    assert code(second) == (409, "idempotency_key_used")
    assert second[2]["error"]["request_id"] == first[1]["x-request-id"]


def test_what_is_sealed_opens_only_with_the_right_key_and_bond() -> None:
    old, new = "MDAw" * 10 + "MDA=", "MTEx" * 10 + "MTE="
    sealed = seal_bytes(b"content", old, b"bond")

    assert unseal_bytes(sealed, f"{new},{old}", b"bond") == b"content"
    for keys_, bond in ((new, b"bond"), (old, b"other"), (old, b"")):
        with pytest.raises(SealBroken):
            unseal_bytes(sealed, keys_, bond)
    with pytest.raises(SealBroken):
        unseal_bytes(b"", old, b"bond")
    assert seal_bytes(b"content", old, b"bond") != sealed


def test_a_grant_that_moved_meanwhile_is_no_second_request(
    gateway: GatewayProcess, world: World, other_upstream: Upstream
) -> None:
    """The gateway admits anew with the newer grant; its own first attempt is not in the way."""
    assert gateway.chat("smollm2")[0] == 200
    world.endpoint("other", target("other", other_upstream.url, "ok"))
    moved = world.models["other"]
    world.publish()
    wait_until(lambda: gateway.chat("other")[0] == 200)
    world.models["smollm2"] = moved
    world.change_grant()

    first = ask(gateway)

    assert first[0] == 200
    world.settled(3)
    assert ask(gateway)[2]["error"]["request_id"] == first[1]["x-request-id"]
