"""A connection over a list of bytes, whose requests the test answers itself."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from portal.gateway.client import Client
from portal.gateway.config import Config
from portal.gateway.connection import Connection
from portal.gateway.gateway import build
from portal.gateway.outbox import Outbox, Writes
from portal.gateway.server import Server
from portal.lib.ids import mint_api_key

GET = b"GET /health HTTP/1.1\r\nhost: x\r\n"
KEY = mint_api_key("abcdefgh").encode()
POST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"authorization: Bearer %b\r\n" % KEY
)
END = b"\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
BODY_BYTES = 100_000


class Wire(asyncio.Transport):
    """What the connection did with it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 1)})
        self.sent = b""
        self.reading = True
        self.ended = self.closed = self.aborted = False

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    @property
    def statuses(self) -> list[int]:
        return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.sent)]

    @property
    def code(self) -> str:
        """Of the last answer, which is a refusal; empty if nothing was said."""
        content = self.sent.rpartition(b"\r\n\r\n")[2]
        return str(json.loads(content)["error"]["code"]) if content else ""


class AtOnce(Outbox):
    """What is sent is seen at once, not at the end of a turn."""

    def put(self, writes: Writes) -> None:
        writes.flush()


class Desk(Server):
    """Takes requests; the test answers them."""

    waiting: list[Client]
    answered: list[Client]

    def begin(self, client: Client) -> None:
        self.waiting.append(client)

    def answer(self, content: bytes = b"{}") -> Client:
        client = self.waiting.pop(0)
        client.answer(200, content, b"")
        client.done()
        self.answered.append(client)
        return client


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    config = Config(
        valkey_url=os.environ["VALKEY_URL"],
        seal_keys=os.environ["DURE_SEAL_KEYS"],
        journal_dir=tmp_path,
        body_bytes=BODY_BYTES,
        drain_seconds=5,
    )
    gateway = build(config)
    gateway.outbox = AtOnce()
    found = Desk(gateway)
    found.waiting, found.answered = [], []
    yield found
    gateway.journal.close()


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
async def connection(desk: Desk, wire: Wire) -> Connection:
    made = Connection(desk)
    made.connection_made(wire)
    return made


def later(desk: Desk, seconds: float) -> None:
    """The server's look at its connections, so many seconds from now."""
    desk.sweep(desk.loop.time() + seconds)


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
