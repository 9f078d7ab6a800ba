"""The Serve application: ``engine`` for each placement, ``site`` once. The only module with Ray.

``engine`` starts a vendor's server, watches it, starts it again when it ends, and streams
through. When the server hangs, the replica says so to Serve, which replaces it. ``site`` is the
register (its ``user_config``) and the agent that engines tell how they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import time
from collections import deque
from typing import Any

import httpx2
import msgspec
import ray
from ray import serve
from ray.serve import Application, metrics
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from portal.fleet.serving import child
from portal.fleet.serving.book import Book, Counts, Note
from portal.fleet.serving.child import Child, EngineFailed, EngineSettings
from portal.fleet.serving.counting import counters
from portal.fleet.serving.digests import digest_of
from portal.fleet.serving.relay import Relay

SITE = "dure-site"
TELL_SECONDS = 1.0
LINES_WAITING = 1000
LINES_AT_ONCE = 200
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
LONG_LIFE_SECONDS = 60.0


class Engine:
    """One replica: one server."""

    async def __init__(self, given: dict[str, Any]) -> None:  # type: ignore[misc]  # Serve awaits it
        self.settings: EngineSettings = child.settings_of(given)
        context = serve.get_replica_context()
        self.replica = context.replica_id.unique_id
        self.state, self.because, self.digest = "starting", "The server is starting.", ""
        self.lines: deque[tuple[int, str]] = deque()
        self.told = 0  # lines that the agent has
        self.counts: Counts | None = None
        self.relay: Relay | None = None
        self.child = Child(self.settings, self._log)
        self.probe = httpx2.AsyncClient(timeout=child.PROBE_SECONDS, trust_env=False)
        self.agent = serve.get_deployment_handle("site", app_name=SITE)
        self.starts, self.ready_once = 0, asyncio.Event()
        self.meters = _Meters(self.settings.placement)
        self.telling = asyncio.create_task(self._tell_on())
        self.running = asyncio.create_task(self._run())
        # Serve sends nothing here before this returns; a replica that is not wanted any more is
        # ended in the middle of it.
        waiting = asyncio.create_task(self.ready_once.wait())
        await asyncio.wait([waiting, self.running], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self._raise_if_broken()

    async def _run(self) -> None:
        """One life of the server after another. Serve would give up after three failed starts,
        and needs seconds for another replica."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._start()
                self._move("ready", "The server answers.")
                self.ready_once.set()
                raise await self.child.ended()
            except EngineFailed as error:
                failures = 1 if time.monotonic() - began > LONG_LIFE_SECONDS else failures + 1
                pause = PAUSES[min(failures, len(PAUSES)) - 1]
                self._move("failed", f"{error} Started again in {pause:.0f} s.")
            await asyncio.sleep(pause)
            self._move("starting", "The server is being started again.")

    def _raise_if_broken(self) -> None:
        if self.running.done():
            self.running.result()

    async def _start(self) -> None:
        wanted, artifact = self.settings.model_digest, self.settings.artifact
        if not self.ready_once.is_set():  # large weights take minutes
            self.digest = await asyncio.to_thread(digest_of, artifact) or wanted
        if wanted and self.digest != wanted:
            raise EngineFailed("The weights here have another digest than the wanted ones.")
        self.child = Child(self.settings, self._log)
        self.starts += 1
        await self.child.start()
        if self.relay is not None:
            await self.relay.close()
        self.relay = Relay(
            self.child.url,
            self.child.credential,
            self.settings.credential_sha256,
            self.meters.observe,
        )

    async def __call__(self, request: Request) -> Response:
        assert self.relay is not None  # nothing is sent here before the server was ready once
        return _Relayed(self.relay)

    async def check_health(self) -> None:
        """Serve asks every two seconds, and replaces a replica that raises three times. A server
        that has ended is started again here; one that hangs is not."""
        self._raise_if_broken()
        if self.state == "ready":
            await self.child.check(self.probe)

    async def __del__(self) -> None:
        """Serve calls it when the running answers have ended, or when it waits no longer."""
        self._log("stopping: no longer wanted here")
        self.running.cancel()
        self.telling.cancel()
        await self.child.stop()
        self._log("the server has ended")
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._tell(), 2)

    def _log(self, text: str) -> None:
        if len(self.lines) < LINES_WAITING:  # the agent is away, or the server talks too much
            self.lines.append((int(time.time() * 1000), text[: child.LONGEST_LINE]))

    def _move(self, state: str, because: str) -> None:
        if state != self.state:
            self._log(f"{self.state} → {state}: {because}")
        self.state, self.because = state, because

    async def _tell_on(self) -> None:
        """Every second; an agent that is away is told later."""
        while True:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._count(), 2)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._tell(), 5)
            await asyncio.sleep(TELL_SECONDS)

    async def _count(self) -> None:
        if self.state != "ready":
            return
        answer = await self.probe.get(
            self.child.url + self.settings.metrics,
            headers={"authorization": f"Bearer {self.child.credential}"},
        )
        found = counters(answer.text) if answer.status_code == 200 else {}
        if found:
            self.counts = Counts(
                since_ms=self.child.started_ms,
                tokens_in=found.get("tokens_in", 0),
                tokens_out=found.get("tokens_out", 0),
                requests=found.get("requests"),
            )

    async def _tell(self) -> None:
        lines = tuple(list(self.lines)[:LINES_AT_ONCE])
        note = Note(
            placement=self.settings.placement,
            epoch=self.settings.epoch,
            replica=self.replica,
            node=ray.get_runtime_context().get_node_id(),
            state=self.state,
            because=self.because,
            starts=self.starts,
            devices=child.devices(os.environ),
            model_digest=self.digest,
            counts=self.counts,
            first=self.told,
            lines=lines,
        )
        await self.agent.note.remote(msgspec.to_builtins(note))
        self.told += len(lines)
        for _ in lines:
            self.lines.popleft()


class _Relayed(Response):
    """A response that writes itself, as the engine's bytes come."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self.relay = relay

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.relay.answer(scope, receive, send)


class _Meters:
    """Beside Serve's own metrics, in the same place: what an engine answered, and how soon."""

    def __init__(self, placement: str) -> None:
        self.tags = {"placement": placement}
        self.answers = metrics.Counter(
            "dure_engine_answers", "Answers by status.", tag_keys=("placement", "status")
        )
        self.first_byte = metrics.Histogram(
            "dure_engine_first_byte_seconds",
            "Until the engine's first byte.",
            boundaries=[0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
            tag_keys=("placement",),
        )

    def observe(self, status: int, seconds: float) -> None:
        self.answers.inc(1, self.tags | {"status": str(status)})
        self.first_byte.observe(seconds, self.tags)


class Site:
    """The register and the agent."""

    def __init__(self) -> None:
        self.book = Book()
        self.token_sha256 = ""

    def reconfigure(self, register: dict[str, Any]) -> None:
        """Serve calls it with the register, at the start and whenever it changed."""
        self.token_sha256 = str(register.get("token_sha256", ""))
        self.book.want(register.get("wanted", ()))

    async def note(self, given: dict[str, Any]) -> None:
        """An engine tells how it is."""
        self.book.take(msgspec.convert(given, Note), now=time.monotonic())

    async def __call__(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(hashlib.sha256(given).hexdigest(), self.token_sha256):
            return JSONResponse({"error": "The token is not this site's."}, 401)
        words = request.url.path.rstrip("/").split("/")
        if words[-1] == "report":
            return JSONResponse(self.book.report(now=time.monotonic()))
        if words[-2] == "logs":
            since = request.query_params.get("since", "0")
            return JSONResponse(self.book.page(words[-1], int(since) if since.isdigit() else 0))
        return JSONResponse({"error": "Not found."}, 404)


ENGINE = serve.deployment(name="engine")(Engine)
REGISTER = serve.deployment(
    name="site", ray_actor_options={"num_cpus": 0}, health_check_period_s=2
)(Site)


def engine(args: dict[str, Any]) -> Application:
    """One placement's application."""
    return ENGINE.bind(args)


def site(args: dict[str, Any]) -> Application:
    """The register's application."""
    return REGISTER.bind()
