"""Clients that behave well and badly, for a long mixed load. Nothing is random but by a seed."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self, cast

from bench.load import chat, request

PATIENCE_SECONDS = 30.0
SLOW_SECONDS = 1.0  # in which a slow reader takes nothing
SLOW_BUFFER = 4096  # bytes that its kernel takes meanwhile

Manner = Literal["whole", "leaves", "slow"]


@dataclass(frozen=True)
class Kind:
    """One sort of request. ``share`` is of a thousand; ``statuses`` are the ones it may get."""

    name: str
    share: int
    content: bytes
    statuses: tuple[int, ...] = (200,)
    manner: Manner = "whole"
    stream: bool = False
    cut: bool = False  # its stream ends without [DONE], with an error event


def kinds(key: str) -> list[Kind]:
    """The mix: mostly whole answers, some streams, and one in twenty-five that goes wrong."""
    embed = b'{"model":"vectors","input":"a county office and a clinic"}'
    return [
        Kind("json", 700, request(chat("whole"), key)),
        Kind("embeddings", 100, request(embed, key, path="/v1/embeddings")),
        Kind("short stream", 100, request(chat("first", stream=True), key), stream=True),
        Kind("stream", 30, request(chat("spread", stream=True, tokens=25), key), stream=True),
        Kind(
            "left a stream",
            20,
            request(chat("spread", stream=True), key),
            manner="leaves",
            stream=True,
        ),
        Kind("left a request", 10, request(chat("slots"), key), manner="leaves"),
        Kind(
            "slow reader",
            5,
            request(chat("flood", stream=True, tokens=1500), key),
            manner="slow",
            stream=True,
        ),
        Kind("broken engine", 10, request(chat("500"), key), (502, 503)),
        Kind(
            "engine died",
            10,
            request(chat("die", stream=True, tokens=25), key),
            stream=True,
            cut=True,
        ),
        Kind("unknown model", 5, request(chat("no-such-model"), key), (404,)),
        Kind("malformed", 5, request(b'{"model": "whole", "messages"', key), (400,)),
        Kind("wrong key", 5, request(chat("whole"), key[:-4] + "zzzz"), (401,)),
    ]


class Left(Exception):
    """The client went away, as it meant to."""


class Client(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.waiter: asyncio.Future[bytes] | None = None
        self.length = 0  # of the whole answer; -1: until the last chunk
        self.manner: Manner = "whole"

    @classmethod
    async def connect(cls, port: int, *, slow: bool = False) -> Self:
        one = socket.socket()
        one.setblocking(False)
        if slow:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(one, ("127.0.0.1", port))
        _, client = await loop.create_connection(cls, sock=one)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    @property
    def closed(self) -> bool:
        return self.transport.is_closing()

    async def ask(self, content: bytes, manner: Manner = "whole", *, stream: bool = False) -> bytes:
        """The whole answer. ``ConnectionError`` if it was cut off, ``Left`` if that was meant."""
        self.buffer.clear()
        self.length = 0
        self.manner = manner
        loop = asyncio.get_running_loop()
        self.waiter = loop.create_future()
        self.transport.write(content)
        if manner == "leaves" and not stream:
            loop.call_later(0.01, self.leave)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.waiter

    def leave(self) -> None:
        self.transport.abort()
        self._end(Left())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.length and not self._read_head():
            return
        if self.manner == "leaves" and self.length < 0 and b"~" in self.buffer:
            self.leave()
            return
        if self.manner == "slow":
            self.manner = "whole"
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._go_on)
        whole = self.buffer.endswith(b"\r\n0\r\n\r\n") if self.length < 0 else self._has_all()
        if whole and self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(bytes(self.buffer))

    def _has_all(self) -> bool:
        return len(self.buffer) >= self.length

    def _read_head(self) -> bool:
        place = self.buffer.find(b"\r\n\r\n")
        if place < 0:
            return False
        head = bytes(self.buffer[:place]).lower()
        start = head.find(b"content-length: ")
        self.length = place + 4 + int(head[start + 16 :].split(b"\r\n")[0]) if start > 0 else -1
        return True

    def _go_on(self) -> None:
        if not self.closed:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(ConnectionError("the connection was closed"))

    def _end(self, error: Exception) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error)

    def close(self) -> None:
        self.transport.close()


@dataclass
class Tally:
    """What all clients saw. ``answered``: ids of requests whose whole answer was received."""

    sent: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    left_to_send: int = 0

    def judge(self, kind: Kind, answer: bytes) -> None:
        """An answer that came whole: is it what this kind has to get?"""
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head[9:12])
        done = b"data: [DONE]" in body
        if status not in kind.statuses:
            self.wrong[f"{kind.name}: {status} {_code(body)}"] += 1
            return
        if kind.stream and done == kind.cut:
            self.wrong[f"{kind.name}: {'ended well' if done else 'no end'}"] += 1
            return
        self.good[kind.name] += 1
        if status == 200 and not kind.cut:
            self.answered.add(_request_id(head))


def _code(body: bytes) -> str:
    """What went wrong, in OpenAI's form."""
    place = body.find(b'"code":"')
    return body[place + 8 :].split(b'"', 1)[0].decode() if place >= 0 else ""


def _request_id(head: bytes) -> str:
    lower = head.lower()
    start = lower.index(b"\r\nx-request-id: ") + 16
    return lower[start:].split(b"\r\n", 1)[0].decode()


class Worker:
    """One client after another, each over a connection kept to the same gateway."""

    def __init__(self, port: int, mix: Sequence[Kind], tally: Tally, seed: int) -> None:
        self.port = port
        self.mix = mix
        self.tally = tally
        self.choices = random.Random(seed)
        self.client: Client | None = None

    async def run(self) -> None:
        shares = [kind.share for kind in self.mix]
        while self.tally.left_to_send > 0:
            self.tally.left_to_send -= 1
            kind = self.choices.choices(self.mix, shares)[0]
            self.tally.sent[kind.name] += 1
            await self._one(kind)
        if self.client is not None:
            self.client.close()

    async def _one(self, kind: Kind) -> None:
        try:
            client = await self._connection(slow=kind.manner == "slow")
            answer = await client.ask(kind.content, kind.manner, stream=kind.stream)
        except Left:
            self.tally.good[kind.name] += 1
        except (OSError, TimeoutError) as error:
            if kind.cut:
                self.tally.good[kind.name] += 1  # a connection that ends is an end without [DONE]
            else:
                self.tally.wrong[f"{kind.name}: {type(error).__name__}"] += 1
            self._forget()
        else:
            self.tally.judge(kind, answer)
            if kind.manner == "slow" or b"\r\nconnection: close" in answer[:2000].lower():
                self._forget()

    async def _connection(self, *, slow: bool) -> Client:
        if slow:
            self._forget()
        if self.client is None or self.client.closed:
            self.client = await Client.connect(self.port, slow=slow)
        return self.client

    def _forget(self) -> None:
        if self.client is not None:
            self.client.close()
        self.client = None
