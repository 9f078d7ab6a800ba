"""One connection of the fuzzer: pieces out, answers in, and what is wrong with an answer."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass

ANSWER_SECONDS = 30.0
FIRST_SECONDS = 1.5  # after odd bytes: longer silence means that more is waited for
MORE_SECONDS = 0.05  # and after an answer that nobody asked for
# 429, 5xx: nothing is short, full or broken in this world, so they are due to nobody.
ALLOWED = {200, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 422, 431, 501, 505}


class NotHttp(Exception):
    """What came is no HTTP answer, or ends inside one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    content: bytes
    head: bool = False  # the request was HEAD

    @property
    def is_busy(self) -> bool:
        """Not admitted because everything is slow: the loop is late, or the counters are."""
        codes = (b'"overloaded"', b'"admission_unavailable"')
        return self.status in (429, 503) and any(code in self.content for code in codes)

    @property
    def request_id(self) -> str:
        """Of an answer that a site gave and that is charged; else empty."""
        charged = self.status == 200 and "x-dure-site" in self.headers
        return self.headers.get("x-request-id", "") if charged else ""

    def fault(self, secret: bytes) -> str:
        """What is wrong with it; empty if nothing is. No portal runs behind the fuzzed gateway:
        files and batches are "unavailable"."""
        if secret in self.content or secret.decode() in str(self.headers):
            return "the key stands in the answer"
        if self.status not in ALLOWED and b'"portal_unavailable"' not in self.content:
            return f"status {self.status}: {self.content[:200]!r}"
        if self.status >= 400:
            return _error_fault(self) if self.content or not self.head else ""
        return _answer_fault(self)


def _error_fault(answer: Answer) -> str:
    try:
        error = json.loads(answer.content)["error"]
    except (ValueError, KeyError, TypeError):
        return f"an error that is not OpenAI's: {answer.content[:200]!r}"
    whole = {"message", "type", "param", "code"} <= error.keys()
    if not whole or not error["message"] or not isinstance(error["code"], str):
        return f"an error that is not whole: {error}"
    if error["message"].startswith("odd "):
        return f"the site was sent an {error['message']}"
    return ""


def _answer_fault(answer: Answer) -> str:
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return (
            ""
            if _whole_stream(answer.content)
            else f"a stream cut short: {answer.content[-300:]!r}"
        )
    try:
        json.loads(answer.content)
    except ValueError:
        return f"no JSON: {answer.content[:200]!r}"
    return ""


def _whole_stream(content: bytes) -> bool:
    """Chat and completions end with [DONE], responses with their own last event."""
    events = [one for one in content.decode().split("\n\n") if one]
    data = [line[6:] for one in events for line in one.split("\n") if line.startswith("data: ")]
    parsed = [json.loads(one) for one in data if one != "[DONE]"]
    ended = data[-1] == "[DONE]" or parsed[-1].get("type", "").startswith("response.")
    return ended and not any(one.get("error") for one in parsed)


class Connection:
    """``left`` says whether it was given up while more was waited for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.usable = True

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 26))

    async def send(self, pieces: tuple[bytes, ...]) -> None:
        """Each piece in a packet of its own. The other side may have closed already."""
        try:
            for number, piece in enumerate(pieces):
                if number:
                    await asyncio.sleep(0.001)
                self.writer.write(piece)
                await self.writer.drain()
        except (ConnectionError, RuntimeError):  # uvloop: the transport is closed
            self.usable = False

    async def answer(self, *, head: bool = False) -> Answer | None:
        """The next answer; ``None`` when the connection was closed. ``NotHttp``."""
        try:
            while True:
                status, headers = await self._head()
                if status >= 200:
                    break
            content = b"" if head else await self._content(headers)
            if head and headers.get("connection") == "close":
                content = await self.reader.read()  # who cannot read a request knows no method
        except asyncio.IncompleteReadError as end:
            self.usable = False
            if end.partial:
                raise NotHttp(f"ends inside an answer: {end.partial[-200:]!r}") from None
            return None
        except ConnectionError:
            self.usable = False
            return None
        if headers.get("connection") == "close":
            self.usable = False
        return Answer(status, headers, content, head)

    async def _head(self) -> tuple[int, dict[str, str]]:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw[:-4].split(b"\r\n")
        version, _, rest = first.partition(b" ")
        if version != b"HTTP/1.1" or not rest[:3].isdigit():
            raise NotHttp(repr(first[:200]))
        headers: dict[str, str] = {}
        for line in lines:
            name, mark, value = line.partition(b": ")
            if not mark or name.lower().decode() in headers:
                raise NotHttp(repr(line[:200]))
            headers[name.lower().decode()] = value.decode("ascii")
        return int(rest[:3]), headers

    async def _content(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.read()
        parts = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            parts.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readexactly(2)
        return b"".join(parts)

    def close(self) -> None:
        """At once, without the minute in which the system keeps a port for stragglers."""
        endpoint = self.writer.get_extra_info("socket")
        if endpoint is not None:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
