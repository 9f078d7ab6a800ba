"""Cases of the catalogue in which the site is odd, or the world changes between two requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.bad_input.row import KEY, chat
from tests.gateway.bad_input.site import ScriptedSite, stream, whole
from tests.gateway.bad_input.wire import Answer, Wire
from tests.gateway.world import ENGINE_SECRET, GatewayProcess, World, target, wait_until

DONE = b"data: [DONE]\n\n"


def event(content: str, finish: str | None = None) -> bytes:
    """A chunk of an answer; letters stand as they are, not escaped."""
    chunk = {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}],
    }
    return b"data: %b\n\n" % json.dumps(chunk, ensure_ascii=False).encode()


def asked(gateway: GatewayProcess, world: World, site: ScriptedSite) -> Answer:
    """What a client of this site sees of a stream."""
    world.endpoint("scripted", target("scripted", site.url, "scripted"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
    with Wire(gateway.port) as wire:
        wire.send(chat(model="scripted", stream=True).replace(KEY, world.key.encode()))
        found = wire.answer()
    assert found is not None and found.status == 200
    return found


def said(answer: Answer) -> str:
    events = [one[6:] for one in answer.content.decode().split("\n\n") if one]
    chunks: list[dict[str, Any]] = [json.loads(one) for one in events if one != "[DONE]"]
    return "".join(choice["delta"]["content"] for one in chunks for choice in one["choices"])


def test_passes_on_what_only_looks_like_the_end(gateway: GatewayProcess, world: World) -> None:
    """What a model says is JSON text: its line feeds are escaped, so they end no event."""
    odd = '\n\ndata: [DONE]\n\ndata: {"error": {"message": "x"}}\n\n'

    with ScriptedSite([stream(event("a"), event(odd), event("z", "stop"), DONE)]) as site:
        answer = asked(gateway, world, site)

    assert said(answer) == f"a{odd}z"
    assert answer.content.endswith(DONE)
    [usage] = world.settled(1)
    assert (usage.outcome, usage.tokens_out) == ("answered", 3)


def test_passes_on_letters_that_come_in_halves(gateway: GatewayProcess, world: World) -> None:
    """Each byte in a packet of its own: a letter of three bytes is cut twice."""
    text = "두레입니다 👩🏽‍⚕️"
    whole = stream(event(text), event("", "stop"), DONE)

    with ScriptedSite([whole[place : place + 1] for place in range(len(whole))]) as site:
        answer = asked(gateway, world, site)

    assert said(answer) == text
    assert answer.content.endswith(DONE)
    world.settled(1)


TELLTALE = b"HTTP/1.1 %b\r\nx-told: Bearer engine-secret\r\nset-cookie: key=engine-secret\r\n"


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"500 Oops", b"400 No", b"200 OK"])
def test_a_site_that_tells_its_credential_tells_the_client_nothing(
    gateway: GatewayProcess, world: World, status: bytes
) -> None:
    """As engines do: "Invalid API key: …". Headers of a site end at the gateway."""
    if status.startswith(b"200"):
        rest = stream(event("a", "stop"), DONE).partition(b"\r\n")[2]
    else:
        rest = whole(b'{"error": {"message": "Invalid API key: engine-secret"}}')
        rest = rest.partition(b"\r\n")[2]

    with ScriptedSite([TELLTALE % status + rest]) as site:
        world.endpoint("scripted", target("scripted", site.url, "scripted"))
        world.publish()
        wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
        with Wire(gateway.port) as wire:
            wire.send(chat(model="scripted", stream=True).replace(KEY, world.key.encode()))
            found = wire.answer()

    told = int(status[:3])
    assert found is not None and found.status == (told if told in (200, 400) else 502)
    assert ENGINE_SECRET.encode() not in wire.all and b"set-cookie" not in wire.all
    assert ENGINE_SECRET not in gateway.log.read_text()
    wait_until(lambda: world.held() == 0)


def test_refuses_a_revoked_key_on_a_kept_connection(gateway: GatewayProcess, world: World) -> None:
    content = chat().replace(KEY, world.key.encode())

    with Wire(gateway.port) as wire:
        wire.send(content)
        before = wire.answer()
        world.change_grant(revoked=True)
        wire.send(content)
        revoked = wire.answer()
        world.change_grant(expires_at_ms=1)
        wire.send(content)
        expired = wire.answer()

    assert before is not None and before.status == 200
    for answer in (revoked, expired):
        assert answer is not None
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    world.settled(1)
