"""Listening, and the life of all connections: swept each half second, drained at the end."""

from __future__ import annotations

import asyncio
import resource
import signal
from typing import TYPE_CHECKING

import structlog

from portal.gateway import app
from portal.gateway.client import Client
from portal.gateway.config import Config
from portal.gateway.connection import Connection
from portal.gateway.errors import Problem
from portal.gateway.request import Request

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

BACKLOG = 4096
MOST_FILES = 1 << 20  # where the system sets no limit
FILES_ASIDE = 256  # for everything but connections
SWEEP_SECONDS = 0.5
FLUSH_SECONDS = 0.02  # between two looks at what has not been sent
END_SECONDS = 5.0  # for what was cancelled to say so

_log = structlog.get_logger()


class Server:
    """All connections of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.outbox = gateway.outbox
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files == resource.RLIM_INFINITY:
            files = MOST_FILES
        # Whoever is answered takes another one, to a site.
        self.most_connections = max(FILES_ASIDE, (files - FILES_ASIDE) // 2)

    @property
    def config(self) -> Config:
        return self.gateway.config

    @property
    def draining(self) -> bool:
        return self.gateway.draining

    def welcome(self, connection: Connection) -> None:
        """A client has connected. Where there are too many, those go that said nothing for longest:
        without files left, no site could be reached."""
        self.connections.add(connection)
        if len(self.connections) > self.most_connections:
            silent = [one for one in self.connections if one.idle and not one.ending]
            silent.sort(key=lambda one: one.deadline)
            for one in silent[: len(self.connections) - self.most_connections + len(silent) // 20]:
                one.end()

    def look(self, request: Request) -> Problem | None:
        """At the head of a request: whether it is worth to read its body."""
        return app.look(self.gateway, request)

    def shed(self, request: Request) -> bytes | None:
        """The whole answer to a request that is one too many, and whose connection is kept."""
        if self.gateway.draining:
            return None
        return app.shed(self.gateway, request, keep_alive=True)

    def begin(self, client: Client) -> None:
        """Answer a request; ``answered`` follows, whatever happens."""
        if client.request.problem is not None:
            app.refuse(self.gateway, client)
            return
        visit = app.visit(self.gateway, client)
        client.task = asyncio.Task(visit, loop=self.loop, eager_start=True)

    def refused(self, problem: Problem) -> None:
        """A request that never became one."""
        self.gateway.metrics.request("malformed", problem.status, 0.0)

    async def serve(self, stop: asyncio.Event) -> None:
        """Listen until ``stop``; then what is open has ``drain_seconds`` to end."""
        config = self.config
        listeners = [await self._listen(config.port, share=config.share_port)]
        if config.admin_port:
            listeners.append(await self._listen(config.admin_port, share=False))
        sweeper = asyncio.create_task(self._keep_sweeping(), name="sweep")
        try:
            await stop.wait()
            self.gateway.draining = True
            await self._drain()
        finally:
            sweeper.cancel()
            for listener in listeners:
                listener.close()
            for connection in list(self.connections):
                connection.abort()

    async def _listen(self, port: int, *, share: bool) -> asyncio.Server:
        return await self.loop.create_server(
            lambda: Connection(self),
            self.config.host,
            port,
            backlog=BACKLOG,
            reuse_port=share or None,
        )

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep(self.loop.time())

    def sweep(self, now: float) -> None:
        """End what has waited for too long."""
        for connection in list(self.connections):
            if connection.deadline and connection.deadline < now:
                connection.too_late()
        stuck = now - self.config.stuck_seconds
        for client in list(self.gateway.clients):
            if client.writing_since and client.writing_since < stuck:
                client.abandon()

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [client.task for client in self.gateway.clients if client.task is not None]

    async def _drain(self) -> None:
        """While answers end, the door stays open, so that a balancer hears that we are not ready;
        what is new is refused."""
        until = self.loop.time() + self.config.drain_seconds
        for connection in list(self.connections):
            if connection.idle:
                connection.end()
        while self.gateway.clients and self.loop.time() < until:
            await asyncio.wait(self._tasks(), timeout=until - self.loop.time())
        if tasks := self._tasks():
            _log.warning("server.cut", answers=len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=END_SECONDS)
        await self._flush(until)

    async def _flush(self, until: float) -> None:
        """What was answered, and charged, goes out before its connection ends."""
        for connection in list(self.connections):
            connection.end()
        while self.connections and self.loop.time() < until:  # noqa: ASYNC110 - only at the end
            await asyncio.sleep(FLUSH_SECONDS)


def obey_signals(gateway: Gateway, stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT end the program in good order; SIGHUP reads the settings again."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, gateway.reload)
