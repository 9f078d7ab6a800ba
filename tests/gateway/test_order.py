"""The order that makes an answer safe: the settlement is on disk before the last byte leaves."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from portal.gateway import lifespan
from portal.gateway.config import Config
from portal.gateway.connection import Connection
from portal.gateway.segment import Settlement, unframed
from portal.gateway.server import Server
from tests.fakes.upstream import Upstream
from tests.gateway.world import World


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


class Socket(asyncio.Transport):
    """Notes what is written, and how much stood in the journal at that moment."""

    def __init__(self, folder: Path) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.folder = folder
        self.sent: list[tuple[bytes, int]] = []

    def write(self, data: Any) -> None:
        self.sent.append((bytes(data), len(journalled(self.folder))))

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def close(self) -> None: ...


def request_of(world: World, path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {world.key}\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("streaming", [True, False])
async def test_journals_before_the_last_byte_leaves(
    world: World, upstream: Upstream, tmp_path: Path, streaming: bool, path: str
) -> None:
    upstream.engine.pause = 0.02  # so that not all of a stream leaves in one turn of the loop
    config = Config(
        valkey_url=world.valkey_url, seal_keys=os.environ["DURE_SEAL_KEYS"], journal_dir=tmp_path
    )
    async with lifespan.opened(config) as gateway:
        while gateway.closed_because():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        connection, socket = Connection(Server(gateway)), Socket(tmp_path)
        connection.connection_made(socket)

        connection.data_received(request_of(world, path, BODIES[path] | {"stream": streaming}))
        async with asyncio.timeout(5):
            while connection.client is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    last, in_journal = socket.sent[-1]
    assert socket.sent[0][0].startswith(b"HTTP/1.1 200")
    assert in_journal == 1
    if streaming:
        assert last.endswith(ENDINGS[path == "/v1/responses"] + b"\r\n0\r\n\r\n")
        early = [content for content, count in socket.sent[1:] if not count]
        assert early
        assert not any(word in b"".join(early) for word in COMPLETE)
    assert len(world.events()) == 1
    assert world.held() == 0
