"""A strict little engine that speaks OpenAI's chat, completions, embeddings and rerank, well or
badly.

How it behaves is the name of the model that it is asked for, so that a route table decides:
``ok``, ``slow``, ``hang`` (never answers), ``die`` (closes in mid-stream), ``drop`` (closes before
the first byte), ``garbage``, ``lies`` (wrong content type), ``no-usage``, ``zero`` (usage of 0),
``error-event``, ``500``, ``busy``, ``busy-7`` and ``limited-7`` (503 and 429 with Retry-After: 7),
``refuse`` (400 for its context), ``think`` (for as long as it is told), ``long`` (until told to
stop), ``tools`` (calls every function that it is offered, until it has heard of results),
``reasons`` (thinks aloud first), ``short`` (ends at ``max_tokens``), ``odd`` (chunks that are no
chat).

Run it in a thread (``Upstream``) or as a program: ``python -m tests.fakes.upstream --port 9000``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any, Self

from tests.fakes import speech
from tests.fakes.speech import PROMPT_TOKENS, WORDS, words

__all__ = ["PROMPT_TOKENS", "WORDS", "Engine", "Heard", "Upstream", "words"]


@dataclass
class Heard:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Refused(Exception):
    """The request is not what a gateway may send."""


@dataclass
class Engine:
    """What was heard, and how many connections are open."""

    pause: float = 0.0
    think: float = 0.0  # seconds of each answer of the mood ``think``
    thinking: int = 0
    most_thinking: int = 0
    heard: list[Heard] = field(default_factory=list)
    open: int = 0
    stopped: int = 0  # streams whose client went away
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, Refused):
            pass
        finally:
            self.open -= 1
            self.writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            heard = await _read(reader)
        except Refused as refusal:
            await _send(writer, 400, {"error": {"message": str(refusal)}})
            raise
        if heard is None:
            return False
        self.heard.append(heard)
        mood = str(heard.body.get("model"))
        if mood == "hang":
            await reader.read(1)  # until the gateway gives up
            return False
        if mood == "drop":
            return False
        if mood in _STATUS:
            await _send(writer, *_STATUS[mood])
            return True
        if heard.path in speech.VECTORS:
            await _send(writer, 200, speech.VECTORS[heard.path](heard.body, mood))
            return True
        if heard.body.get("stream"):
            return await self._stream(reader, writer, heard.body, mood)
        if mood in ("slow", "long"):
            await asyncio.sleep(5)
        if mood == "think":
            await self._think()
        tell = speech.completion if "messages" in heard.body else speech.text
        await _send(writer, 200, tell(heard.body, mood))
        return mood != "die"

    async def _think(self) -> None:
        self.thinking += 1
        self.most_thinking = max(self.most_thinking, self.thinking)
        await asyncio.sleep(self.think)
        self.thinking -= 1

    async def _stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body: dict[str, Any],
        mood: str,
    ) -> bool:
        kind = "text/html" if mood == "lies" else "text/event-stream"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        gone = asyncio.ensure_future(reader.read(1))
        try:
            tell = speech.events if "messages" in body else speech.texts
            for number, event in enumerate(tell(body, mood)):
                if mood == "die" and number == 4:
                    await writer.drain()
                    writer.transport.abort()
                    return False
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                if number % 64 == 0:
                    await writer.drain()
                pause = 0.05 if mood in ("slow", "long") else self.pause
                if pause:
                    done, _ = await asyncio.wait({gone}, timeout=pause)
                    if done:
                        self.stopped += 1
                        return False
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        return True


_STATUS: dict[str, tuple[int, dict[str, Any]] | tuple[int, dict[str, Any], str]] = {
    "500": (500, {"error": {"message": "engine broke"}}),
    "busy": (503, {"error": {"message": "no slot"}}),
    "busy-7": (503, {"error": {"message": "no slot"}}, "retry-after: 7\r\n"),
    "limited-7": (429, {"error": {"message": "too many"}}, "retry-after: 7\r\n"),
    "refuse": (
        400,
        {"error": {"message": "the request exceeds the available context size", "code": 400}},
    ),
}


async def _read(reader: asyncio.StreamReader) -> Heard | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("ascii").split("\r\n")[:-2]
    method, path, version = first.split(" ")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    if len(headers) != len(pairs) or method != "POST" or version != "HTTP/1.1":
        raise Refused("odd request")
    if path not in ("/v1/chat/completions", "/v1/completions", *speech.VECTORS):
        raise Refused("odd path")
    if headers.get("content-type") != "application/json" or "host" not in headers:
        raise Refused("odd headers")
    body = json.loads(await reader.readexactly(int(headers["content-length"])))
    return Heard(path, headers, body)


async def _send(
    writer: asyncio.StreamWriter, status: int, body: dict[str, Any], more: str = ""
) -> None:
    content = json.dumps(body, ensure_ascii=False).encode()
    if body.get("garbage"):
        content = b"<html>not an answer</html>"
    writer.write(
        b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b"
        % (status, more.encode(), len(content), content)
    )
    await writer.drain()


class Upstream:
    """An engine in a thread of its own; ``url`` is where it listens."""

    def __init__(self, pause: float = 0.0) -> None:
        self.engine = Engine(pause)
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        """As if the engine's machine had gone."""
        for writer in list(self.engine.writers):
            self._loop.call_soon_threadsafe(writer.transport.abort)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self.engine.serve, "127.0.0.1", 0)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()


async def _main(port: int, think: float) -> None:
    server = await asyncio.start_server(Engine(think=think).serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--think", type=float, default=0.0, help="seconds, of the mood `think`")
    given = parser.parse_args()
    asyncio.run(_main(given.port, given.think))
