"""Clients and an upstream for benchmarks: asyncio protocols that do as little as possible.

``python -m bench.load --port N`` is the upstream: it answers chat completions from prepared bytes,
whole or as 100 chunks 20 ms apart; with the model ``aligned`` all streams emit at the same moment
(one engine's batch), with ``spread`` each at its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from typing import Self, cast

import uvloop

CHUNKS = 100
APART_SECONDS = 0.02

_MESSAGES = [
    {
        "role": "system",
        "content": "You answer briefly and politely, in the language you are asked.",
    },
    {
        "role": "user",
        "content": "How do I book a room in the county hall for a public meeting? " * 2,
    },
]
BODY = json.dumps({"model": "MODEL", "messages": _MESSAGES, "max_tokens": 200}).encode()
STREAM_BODY = json.dumps(
    {"model": "MODEL", "messages": _MESSAGES, "max_tokens": 200, "stream": True}
).encode()

_USAGE = {"prompt_tokens": 60, "completion_tokens": CHUNKS, "total_tokens": 60 + CHUNKS}
_ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "word " * 150},
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
).encode()


def _framed(text: str) -> bytes:
    content = f"data: {text}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(content), content)


def _chunk(**more: object) -> str:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps(head | more, separators=(",", ":"))


def _delta(finish: str | None = None, **delta: str) -> str:
    return _chunk(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_ANSWER),
    _ANSWER,
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_PIECE = _framed(_delta(content=" word"))
_END = (
    _framed(_delta("stop"))
    + _framed(_chunk(choices=[], usage=_USAGE))
    + _framed("[DONE]")
    + b"0\r\n\r\n"
)


class Upstream(asyncio.Protocol):
    """One connection of whoever is measured."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = b""
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (place := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:place].lower()
            start = head.index(b"content-length: ") + 16
            end = place + 4 + int(head[start:].split(b"\r\n")[0])
            if len(self.buffer) < end:
                return
            body, self.buffer = self.buffer[place + 4 : end], self.buffer[end:]
            self.answer(body)

    def answer(self, body: bytes) -> None:
        if b'"stream":true' not in body.replace(b" ", b""):
            self.transport.write(_WHOLE)
            return
        self.transport.write(_HEAD)
        now = self.loop.time()
        phase = random.random() * APART_SECONDS if b"spread" in body else 0.0
        first = (now // APART_SECONDS + 1) * APART_SECONDS + phase
        self.loop.call_at(first, self.emit, first, CHUNKS)

    def emit(self, moment: float, left: int) -> None:
        if self.transport.is_closing():
            return
        if not left:
            self.transport.write(_END)
            return
        self.transport.write(_PIECE)
        following = moment + APART_SECONDS
        self.loop.call_at(following, self.emit, following, left - 1)


def request(body: bytes, key: str) -> bytes:
    """Bytes of one request."""
    authority = b"authorization: Bearer %b\r\n" % key.encode() if key else b""
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        b"%bcontent-length: %d\r\n\r\n%b" % (authority, len(body), body)
    )


class Client(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.waiter: asyncio.Future[bytes] | None = None
        self.length = 0  # of the whole answer; -1: until the last chunk

    @classmethod
    async def connect(cls, port: int) -> Self:
        _, client = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    async def ask(self, content: bytes) -> bytes:
        """The whole answer; ``AssertionError`` if it is not a 200."""
        self.buffer.clear()
        self.length = 0
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(content)
        answer = await self.waiter
        assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
        return answer

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.length:
            place = self.buffer.find(b"\r\n\r\n")
            if place < 0:
                return
            head = bytes(self.buffer[:place]).lower()
            start = head.find(b"content-length: ")
            self.length = place + 4 + int(head[start + 16 :].split(b"\r\n")[0]) if start > 0 else -1
        ended = (
            self.buffer.endswith(b"0\r\n\r\n")
            if self.length < 0
            else (len(self.buffer) >= self.length)
        )
        if ended and self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(bytes(self.buffer))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(ConnectionError("the connection was closed"))

    def close(self) -> None:
        self.transport.close()


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
