"""The order that makes an answer safe: the settlement is on disk before the last byte leaves."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from portal.gateway.app import App
from portal.gateway.asgi import Message
from portal.gateway.config import Config
from portal.gateway.segment import Settlement, unframed
from tests.gateway.world import World


@asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """The application between its start and its shutdown, as a server would run it."""
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    outgoing: asyncio.Queue[Message] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan"}, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        await life


def journalled(folder: Path) -> list[str]:
    found = [unframed(path.read_bytes())[0] for path in folder.glob("*.journal")]
    return [one.request_id for part in found for one in part if isinstance(one, Settlement)]


BODIES: dict[str, dict[str, object]] = {
    "/v1/chat/completions": {"model": "smollm2", "messages": [{"role": "user", "content": "x"}]},
    "/v1/completions": {"model": "smollm2", "prompt": "x"},
    "/v1/responses": {"model": "smollm2", "input": "x"},
}
ENDINGS = (b"data: [DONE]\n\n", b"}\n\n")  # of chunks, and of a response's events
COMPLETE = (b'"stop"', b".done", b".completed")  # only behind the settlement


def scope_of(world: World, path: str) -> dict[str, object]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {world.key}".encode()),
        ],
    }


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("streaming", [True, False])
async def test_journals_before_the_last_byte_leaves(
    world: World, tmp_path: Path, streaming: bool, path: str
) -> None:
    app = App(
        Config(
            valkey_url=world.valkey_url,
            seal_keys=os.environ["DURE_SEAL_KEYS"],
            journal_dir=tmp_path,
        )
    )
    body = BODIES[path] | {"stream": streaming}
    arrived = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    sent: list[tuple[Message, int]] = []

    async def receive() -> Message:
        if not arrived:
            await asyncio.Event().wait()
        return arrived.pop()

    async def send(message: Message) -> None:
        sent.append((message, len(journalled(tmp_path))))

    async with running(app):
        gateway = app.gateway
        assert gateway is not None
        while gateway.closed_because():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await app(scope_of(world, path), receive, send)

    last, in_journal = sent[-1]
    assert sent[0][0]["status"] == 200
    assert in_journal == 1
    if streaming:
        assert last["body"].endswith(ENDINGS[path == "/v1/responses"])
        early = [message["body"] for message, count in sent[1:] if not count]
        assert early
        assert not any(word in b"".join(early) for word in COMPLETE)
    assert len(world.events()) == 1
    assert world.held() == 0
