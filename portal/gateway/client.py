"""The client's side of an exchange: whether anything was sent, and whether it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from portal.gateway.asgi import JSON, Receive, Send
from portal.gateway.errors import Header

WATCH_AFTER_SECONDS = 0.05  # quick answers need nobody to watch


class Client:
    """``started`` decides whether an attempt may be repeated. Close it, whatever happens."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.started = False
        self.finished = False
        self.left = False
        self.writing_since = 0.0  # of the loop's clock; 0: not waiting for the client
        self._receive = receive
        self.send = send
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, status: int, headers: Iterable[Header]) -> None:
        """The head of a stream. From here on nothing is repeated."""
        self.started = True
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, content: bytes) -> None:
        """Waits while the client is slow."""
        self.writing_since = self._loop.time()
        await self.send({"type": "http.response.body", "body": content, "more_body": True})
        self.writing_since = 0.0

    async def finish(self, content: bytes) -> None:
        """The last bytes of a stream."""
        self.finished = True
        self.writing_since = self._loop.time()
        await self.send({"type": "http.response.body", "body": content})
        self.writing_since = 0.0

    async def answer(self, status: int, content: bytes, headers: Iterable[Header]) -> None:
        """A whole answer."""
        length: Header = (b"content-length", b"%d" % len(content))
        await self.start(status, [JSON, length, *headers])
        await self.finish(content)

    def watch(self, on_leave: Callable[[], None]) -> None:
        """Call ``on_leave`` when the client closes its connection before the end."""
        self._timer = self._loop.call_later(WATCH_AFTER_SECONDS, self._begin_watch, on_leave)

    def _begin_watch(self, on_leave: Callable[[], None]) -> None:
        self._watch = self._loop.create_task(self._until_gone(on_leave), name="client")

    async def _until_gone(self, on_leave: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self.finished:
            self.left = True
            on_leave()

    def close(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
