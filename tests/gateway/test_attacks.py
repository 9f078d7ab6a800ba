"""Attacks on a running gateway: odd sites, clients that leave, settings that move, a disk that is
full. Each says what must hold whatever the other side does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec
import pytest

from portal.gateway import chat, meter
from portal.gateway.journal import Journal
from portal.gateway.segment import Segment
from portal.lib import ids
from tests.fakes.upstream import Upstream
from tests.gateway.bad_input.site import ScriptedSite, whole
from tests.gateway.bad_input.wire import Wire
from tests.gateway.conftest import Start
from tests.gateway.test_journal import settlement
from tests.gateway.test_scenarios_ends import asking, event, publish
from tests.gateway.world import GatewayProcess, World, target, wait_until

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "hi"}]}


def still(reason: str) -> pytest.MarkDecorator:
    """Does not hold yet; when it does, this mark fails and goes."""
    return pytest.mark.xfail(strict=True, reason=reason)


def completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()


class KeptSite:
    """Keeps its connections; what it is asked is answered by ``tell``: number, last words."""

    def __init__(self, tell: Callable[[int, str], bytes]) -> None:
        self.heard = 0
        self._tell = tell
        self._server = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        seen = b""
        with client, contextlib.suppress(OSError):
            while part := client.recv(65536):
                seen += part
                head, found, body = seen.partition(b"\r\n\r\n")
                if not found:
                    continue
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                if len(body) < length:
                    continue
                seen = body[length:]
                self.heard += 1
                words = json.loads(body[:length])["messages"][-1]["content"]
                client.sendall(self._tell(self.heard, words))


def say(gateway: GatewayProcess, model: str, words: str, seconds: float = 20.0) -> str:
    """What the client of these words is answered."""
    content = asking(gateway.world, model=model, messages=[{"role": "user", "content": words}])
    with Wire(gateway.port, seconds) as wire, contextlib.suppress(TimeoutError):
        wire.send(content)
        answer = wire.answer()
        assert answer is not None
        return str(json.loads(answer.content)["choices"][0]["message"]["content"])
    return ""


# ─── sites ─────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_nobody_asked_for_mixes_up_no_clients(
    gateway: GatewayProcess, world: World
) -> None:
    """A site answers the first request twice, in one packet. Two clients come at the same time:
    each gets its own answer, and not the other's."""
    found: dict[str, str] = {}

    def tell(number: int, words: str) -> bytes:
        time.sleep(0.2)
        return whole(completion(words)) * (2 if number == 1 else 1)

    def ask(words: str) -> None:
        found[words] = say(gateway, "twice", words, 5)

    with KeptSite(tell) as site:
        publish(world, gateway, "twice", target("twice", site.url, "x"))
        ask("first")
        threads = [threading.Thread(target=ask, args=(words,)) for words in ("mine", "yours")]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)

    assert found == {words: words for words in ("first", "mine", "yours")}


def test_what_a_site_sends_behind_the_end_is_bounded() -> None:
    stream = meter.StreamMeter()
    stream.feed(event("", "stop"))

    for _ in range(40):
        stream.feed(event("x" * 100_000))

    assert stream.broken
    assert len(stream.held) < 2 * meter.EVENT_BYTES


def test_tokens_that_a_stream_does_not_report_are_counted() -> None:
    stream = meter.StreamMeter()
    for _ in range(3):
        stream.feed(event("x"))

    stream.feed(b'data: {"choices": [], "usage": {"prompt_tokens": 5}}\n\n')

    assert (stream.counts(40).tokens_out, stream.counts(40).counted) == (3, "counted")


# ─── clients ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("streaming", [False, True])
def test_a_client_that_leaves_before_anything_came_is_on_record(
    gateway: GatewayProcess, world: World, upstream: Upstream, streaming: bool
) -> None:
    """A site worked for it, and nobody knows how much: that is none, and not nothing."""
    publish(world, gateway, "slow", target("slow", upstream.url, "hang"))

    with Wire(gateway.port) as wire:
        wire.send(asking(world, model="slow", stream=streaming))
        wait_until(lambda: len(upstream.engine.heard) == 1)

    [usage] = world.settled(1)
    wait_until(lambda: upstream.engine.open == 0)
    assert (usage.outcome, usage.counted, usage.cost_micro) == ("client_left", "none", 0)
    assert usage.first_byte_at_ms is None
    assert world.standing().spent == 0


@still("connection.py reads no further while a request waits, and hears no end either")
def test_a_client_that_leaves_with_a_second_request_sent_is_heard(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    publish(world, gateway, "slow", target("slow", upstream.url, "hang"))

    with Wire(gateway.port) as wire:
        wire.send(asking(world, model="slow") * 2)
        wait_until(lambda: len(upstream.engine.heard) == 1)

    wait_until(lambda: world.held() == 0 and upstream.engine.open == 0, 3)


def resident_mb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


def test_answers_that_nobody_takes_are_bounded_as_requests_are(start: Start, world: World) -> None:
    """Each was paid for by its client; their sum is the memory of all others."""
    big = whole(completion("x" * (14 << 20)))
    with KeptSite(lambda *_: big) as site:
        world.endpoint("big", target("big", site.url, "x"))
        world.publish()
        gateway = start(DURE_GATEWAY_MOST_OPEN="4")
        assert gateway.process is not None
        before = resident_mb(gateway.process.pid)
        with contextlib.ExitStack() as clients:
            for _ in range(24):
                wire = clients.enter_context(Wire(gateway.port))
                wire.send(asking(world, model="big"))
                time.sleep(0.1)
            after = resident_mb(gateway.process.pid)

    assert after - before < 8 * 16


@still("an organization may have all of the gateway's open requests")
def test_one_organization_does_not_take_the_whole_gateway(
    start: Start, world: World, upstream: Upstream
) -> None:
    """With slow answers of its own endpoint, which has no bound of slots."""
    world.endpoint("own", target("own", upstream.url, "hang"))
    world.publish()
    other = ids.mint_api_key("otherone")
    grant = msgspec.structs.replace(
        world.grant, organization="org_other", org_code="otherone", key="key_other", budgets=()
    )
    world.admission.publish_grants([(ids.hash_api_key(other), grant, False)])
    gateway = start(DURE_GATEWAY_MOST_OPEN="8")

    with contextlib.ExitStack() as clients:
        for _ in range(12):
            clients.enter_context(Wire(gateway.port)).send(asking(world, model="own", stream=True))
        wait_until(lambda: len(upstream.engine.heard) >= 4)
        time.sleep(0.3)
        status, _, _ = gateway.chat("smollm2", authorization=f"Bearer {other}")

    assert status == 200


# ─── money and proof ───────────────────────────────────────────────────────────────────────────


def test_an_answer_that_is_kept_is_said_to_be_kept(gateway: GatewayProcess, world: World) -> None:
    world.change_grant(replay_seconds=120)

    status, _, _ = gateway.post("/v1/chat/completions", CHAT, idempotency_key="one")
    plain, _, _ = gateway.post("/v1/chat/completions", CHAT)

    assert (status, plain) == (200, 200)
    assert [one.replayable for one in world.settled(2)] == [True, False]
    assert len(list(world.client.scan_iter("*answer*"))) == 1


def test_bounds_the_prompt_with_the_ids_of_calls() -> None:
    call = {"id": "c" * 60, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    told = {"role": "tool", "tool_call_id": "c" * 60, "content": "x"}
    messages = [{"role": "assistant", "tool_calls": [call]}, told]

    with_ids = chat.read(json.dumps(CHAT | {"messages": messages}).encode())
    without = chat.read(json.dumps(CHAT | {"messages": messages[:1]}).encode())

    assert with_ids.prompt_bytes - without.prompt_bytes >= 61


# ─── operation ─────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_was_charged_leaves_before_the_gateway_does(
    start: Start, world: World
) -> None:
    content = completion("x" * (8 << 20))
    with ScriptedSite([whole(content)], hold=True) as site:
        world.endpoint("big", target("big", site.url, "x"))
        world.publish()
        gateway = start()
        with Wire(gateway.port) as wire:
            wire.send(asking(world, model="big"))
            wait_until(lambda: len(world.events()) == 1)
            assert gateway.process is not None
            gateway.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            answer = wire.answer()

    assert answer is not None and answer.status == 200
    assert len(answer.content) > 8 << 20


def test_the_log_has_the_id_that_the_client_has(gateway: GatewayProcess, world: World) -> None:
    assert gateway.chat("smollm2")[0] == 200
    world.change_grant(addresses=("127.0.0.0/8",))

    status, headers, _ = gateway.chat("smollm2")

    assert status == 200
    wait_until(lambda: headers["x-request-id"] in gateway.log.read_text())


def test_a_grant_that_moved_costs_no_request_of_the_minute(
    gateway: GatewayProcess, world: World
) -> None:
    assert gateway.chat("smollm2")[0] == 200

    world.change_grant(rpm=2, addresses=("127.0.0.0/8",))

    assert gateway.chat("smollm2")[0] == 200


def test_a_segment_that_cannot_be_made_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted often, the journal is *full* for no reason, and its keeper dies of the second of
    two removals of one file."""
    journal = Journal(tmp_path, "full", most_bytes=800)
    while journal._open.size <= 100:
        journal.append(settlement())
    size = journal.size

    def refuse(path: Path) -> Segment:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Segment, "create", refuse)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            journal.append(settlement())

    assert journal.size == size
    monkeypatch.undo()
    journal.append(settlement())
    journal.close()
