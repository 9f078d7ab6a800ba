"""The gateway's connection to Valkey: one socket, many callers, one write per turn of the loop.

redis-py costs about 110 µs of CPU for two calls; this costs a few (docs/admission.md). It never
repeats a call by itself: a call that timed out may have been executed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import hiredis

from portal.admission import library, slots
from portal.admission.calls import AdmissionUnavailable, Command
from portal.lib.ids import CELLS

TIMEOUT_SECONDS = 0.3
TICK_SECONDS = 0.02  # so much later than its time a call may be given up
PATIENT_SECONDS = 0.002
STALL_SECONDS = 5.0  # nothing came for so long while calls wait: connect anew
MOST_WAITING = 10_000  # calls in flight, given up ones included; more are refused at once


_pack = cast(Callable[[tuple[object, ...]], bytes], hiredis.pack_command)  # its types are narrower


def pack(command: Command) -> bytes:
    """RESP2 bytes of one command."""
    try:
        return _pack(command)
    except UnicodeEncodeError:
        # a lone surrogate of a client's JSON becomes "?": no name that anybody published
        return _pack(tuple(_without_surrogates(one) for one in command))


def _without_surrogates(item: str | bytes | int) -> str | bytes | int:
    return item.encode(errors="replace") if isinstance(item, str) else item


class Waiter(Protocol):
    """Who hears one reply, as a future does: exactly one of the two, unless it is ``done``."""

    def done(self) -> bool:
        """Whether it waits no longer."""

    def set_result(self, reply: Any, /) -> None:
        """The reply."""

    def set_exception(self, error: AdmissionUnavailable, /) -> None:
        """There will be none."""


class _Wire(asyncio.Protocol):
    """Bytes in, replies to the oldest waiter."""

    def __init__(self, lost: asyncio.Future[None], hear_error: Callable[[str], None]) -> None:
        self.hear_error = hear_error
        self.reader = hiredis.Reader()
        self.waiting: deque[tuple[Waiter, float]] = deque()
        self.ticking = False
        self.flushing = False  # in this turn of the loop
        self.out: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.loop = asyncio.get_running_loop()
        self.lost = lost
        self.heard_at = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        self.reader.feed(data)
        while True:
            reply = self.reader.gets()
            if reply is False:
                return
            waiter, _ = self.waiting.popleft()
            if waiter.done():
                continue  # its caller gave up waiting
            if isinstance(reply, hiredis.ReplyError):
                self.hear_error(str(reply))
                waiter.set_exception(AdmissionUnavailable(str(reply)))
            else:
                waiter.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        waiting, self.waiting = self.waiting, deque()
        if not self.lost.done():
            self.lost.set_result(None)
        for waiter, _ in waiting:
            if not waiter.done():
                waiter.set_exception(AdmissionUnavailable("The connection to Valkey was lost."))

    def send(self, raw: bytes, seconds: float = TIMEOUT_SECONDS) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.loop.create_future()
        self.put(raw, seconds, future)
        if not self.flushing:
            self.flushing = True
            self.loop.call_soon(self._flush)
        return future

    def put(self, raw: bytes, seconds: float, waiter: Waiter) -> None:
        """It leaves with the next one that is sent, or a moment later."""
        if self.lost.done():
            raise AdmissionUnavailable("The connection to Valkey was lost.")
        if len(self.waiting) >= MOST_WAITING:
            raise AdmissionUnavailable("Too many calls wait for Valkey.")
        now = self.loop.time()
        if not self.waiting:
            self.heard_at = now  # from here on it owes an answer
        self.waiting.append((waiter, now + seconds))
        if not self.ticking:
            self.ticking = True
            self.loop.call_later(TICK_SECONDS, self._tick)
        if not self.out and not self.flushing:
            self.loop.call_later(PATIENT_SECONDS, self._flush)
        self.out.append(raw)

    def _tick(self) -> None:
        """One clock for all who wait: a timer for each call would cost more than the call."""
        now = self.loop.time()
        for waiter, until in list(self.waiting):
            if until <= now and not waiter.done():
                waiter.set_exception(AdmissionUnavailable("Valkey did not answer in time."))
        self.ticking = bool(self.waiting)
        if self.ticking:
            self.loop.call_later(TICK_SECONDS, self._tick)

    def is_stalled(self) -> bool:
        """Whether the server owes answers and has been silent for long."""
        return bool(self.waiting) and self.loop.time() - self.heard_at > STALL_SECONDS

    def _flush(self) -> None:
        self.flushing = False
        if not self.out:
            return
        raw, self.out = b"".join(self.out), []
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(raw)


class Connection:
    """Connects again by itself, with growing pauses; calls fail at once meanwhile.

    Use ``start`` and ``stop`` from the program's lifespan. ``run_id`` is the server's, noted at
    each connect; it changes when the server was restarted. ``runs`` is the same by cell.
    """

    def __init__(self, url: str) -> None:
        address = slots.read_url(url)
        self.tls = address.tls
        self.host, self.port = address.hosts[0]
        self.password = address.password
        self.user = address.user
        self.database = address.database
        self.run_id = ""
        self.runs = [""] * CELLS
        self.has_functions = False  # ours, of this build; see ``load_functions``
        self.on_connect: list[Command] = []
        self._wire: _Wire | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self.begin()

    def begin(self) -> None:
        """As ``start``."""
        self._keeper = asyncio.create_task(self._keep(), name="valkey")

    async def stop(self) -> None:
        """Close the socket."""
        self.leave()
        if self._keeper is not None:
            await asyncio.gather(self._keeper, return_exceptions=True)

    def leave(self) -> None:
        """As ``stop``, without waiting for the end."""
        if self._keeper is not None:
            self._keeper.cancel()
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.close()

    def place(self, command: Command) -> object:
        """Which server a command goes to; equal for those that go to the same."""
        return None

    @property
    def connected(self) -> bool:
        return self._wire is not None and not self._wire.lost.done()

    def post(self, command: Command, seconds: float = TIMEOUT_SECONDS) -> asyncio.Future[Any]:
        """A future reply; ``AdmissionUnavailable`` in it after about ``seconds``, or at once."""
        return self._there().send(pack(command), seconds)

    def tell(self, command: Command, seconds: float, waiter: Waiter) -> None:
        """As ``post``, for what nobody waits for: it goes with the next call that is posted, or a
        moment later. Each write wakes the server, and that costs both sides more than the call."""
        self._there().put(pack(command), seconds, waiter)

    def _there(self) -> _Wire:
        if self._wire is None:
            raise AdmissionUnavailable("Valkey is not connected.")
        return self._wire

    async def ask(self, command: Command, timeout: float = TIMEOUT_SECONDS) -> Any:  # noqa: ASYNC109
        """The reply, or ``AdmissionUnavailable`` after about ``timeout`` seconds."""
        return await self.post(command, timeout)

    async def load_functions(self) -> None:
        """Ours, where the server has none of this version; others are never replaced from here.
        ``AdmissionUnavailable`` if it has some of another build: the publisher loads the right
        ones when it starts."""
        try:
            found = await self.ask(library.ask_digest(), 2.0)
        except AdmissionUnavailable as error:
            if not library.is_missing(str(error)):
                raise
            found = await self._load_missing()
        self.has_functions = library.is_ours(found)
        if not self.has_functions:
            raise AdmissionUnavailable("The functions in Valkey are of another build.")

    async def _load_missing(self) -> Any:
        try:
            await self.ask(library.load_command(), 2.0)
        except AdmissionUnavailable as error:
            if not library.is_forbidden(str(error)):
                raise
            await asyncio.sleep(1.0)  # the publisher is about to; whoever asks again need not hurry
            raise AdmissionUnavailable("The publisher has not loaded the functions yet.") from None
        return await self.ask(library.ask_digest(), 2.0)

    async def _keep(self) -> None:
        pause = 0.05
        while True:
            try:
                lost = await self._connect()
            except (OSError, AdmissionUnavailable, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)
                continue
            pause = 0.05
            await self._watch(lost)

    async def _watch(self, lost: asyncio.Future[None]) -> None:
        """Until the connection is lost; one that stalls is given up. A host that vanished says
        nothing, and its socket would stay open for a quarter of an hour."""
        wire = self._wire
        assert wire is not None and wire.transport is not None
        while not lost.done():
            await asyncio.wait({lost}, timeout=1.0)
            if wire.is_stalled():
                wire.transport.abort()
        self._wire = None

    async def _connect(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[None] = loop.create_future()
        async with asyncio.timeout(2.0):
            transport, wire = await loop.create_connection(
                lambda: _Wire(lost, self._hear_error), self.host, self.port, ssl=self.tls or None
            )
            try:
                await self._greet(wire)
            except BaseException:
                transport.abort()
                raise
        self._wire = wire
        return lost

    async def _greet(self, wire: _Wire) -> None:
        if self.password:
            who = (self.user,) if self.user else ()
            await wire.send(pack(("AUTH", *who, self.password)), 2.0)
        if self.database != "0":
            await wire.send(pack(("SELECT", self.database)), 2.0)
        server = (await wire.send(pack(("INFO", "server")), 2.0)).decode()
        fields = dict(line.partition(":")[::2] for line in server.splitlines())
        self._meet(fields.get("run_id", ""))
        for command in self.on_connect:
            try:
                await wire.send(pack(command), 2.0)
            except AdmissionUnavailable as error:
                if not library.is_needless(str(error)):
                    raise

    def _meet(self, run_id: str) -> None:
        """A server, before it is told anything."""
        if run_id != self.run_id:
            self.run_id = run_id
            self.runs = [run_id] * CELLS
            self.has_functions = False

    def _hear_error(self, error: str) -> None:
        """An error came as a reply; whoever asked gets it as well."""
