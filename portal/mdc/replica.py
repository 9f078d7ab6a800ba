"""One replica: an engine process that is started, probed, started again, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import msgspec

from portal.fleet.drivers.contract import PlacementSpec, ReplicaReport, ReplicaState
from portal.lib.trust import trusted
from portal.mdc.engine import Settings
from portal.mdc.logs import EngineLog
from portal.mdc.served import Served

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 5.0
PROBE_SECONDS = 2.0
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)

ENGINE = (sys.executable, "-m", "portal.mdc.engine")


class PortPool:
    """The engine ports of this site; one that somebody else uses is passed over."""

    def __init__(self, first: int, last: int) -> None:
        self.all = range(first, last + 1)
        self.used: set[int] = set()

    def take(self) -> int:
        """``OSError`` if none is free."""
        import socket

        for port in self.all:
            if port in self.used:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self.used.add(port)
            return port
        raise OSError("no free engine port")

    def give_back(self, port: int) -> None:
        self.used.discard(port)


@dataclass
class Replica:
    """Runs until ``stop``. ``report`` is what the site says about it."""

    spec: PlacementSpec
    log: EngineLog
    cards: tuple[str, ...]
    digest: str
    ports: PortPool
    command: Sequence[str] = ENGINE
    weights: str = ""  # path; empty: those of the engine's package
    state: ReplicaState = "starting"
    because: str = "The engine is starting."
    restarts: int = 0
    port: int = 0
    served: Served = field(default_factory=Served)
    since_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    _task: asyncio.Task[None] | None = None
    _process: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        """Begin to run; returns at once."""
        self._task = asyncio.create_task(self._run(), name=self.spec.id)

    async def stop(self) -> None:
        """End the engine: politely, then for certain. Its log stays."""
        self._move("stopping", "No longer wanted.")
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.log.add("stopped: no longer wanted")

    def report(self) -> ReplicaReport:
        ready = self.state == "ready"
        return ReplicaReport(
            placement=self.spec.id,
            epoch=self.spec.epoch,
            state=self.state,
            url=f"http://127.0.0.1:{self.port}" if ready else None,
            cards=self.cards,
            model_digest=self.digest,
            restarts=self.restarts,
            since_ms=self.since_ms,
            because=self.because,
            served=self.served.report(),
        )

    def _move(self, state: ReplicaState, because: str) -> None:
        if state != self.state:
            self.since_ms = int(time.time() * 1000)
            self.log.add(f"{self.state} → {state}: {because}")
        self.state, self.because = state, because

    async def _run(self) -> None:
        try:
            while True:
                began = time.monotonic()
                await self._once()
                self.restarts += 1
                if time.monotonic() - began > 60:
                    pause = PAUSES[0]
                else:
                    pause = PAUSES[min(self.restarts, len(PAUSES)) - 1]
                self._move("failed", f"{self.because} Started again in {pause:.0f} s.")
                await asyncio.sleep(pause)
                self._move("starting", "The engine is being started again.")
        finally:
            await self._end()

    async def _once(self) -> None:
        """One life of the engine, from start to death."""
        self.port = self.ports.take()
        try:
            process = await self._spawn()
            reading = asyncio.create_task(self._read(process))
            try:
                await self._probe_until_dead(process)
            finally:
                await self._end()
                self.served.engine_ended()
                await asyncio.gather(reading, return_exceptions=True)
        finally:
            self.ports.give_back(self.port)

    async def _spawn(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *self.command,
            self.spec.engine,
            str(self.port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
            env=_environment(),
        )
        self._process = process
        settings = Settings(
            model=self.spec.model,
            credential=self.spec.credential,
            context_tokens=self.spec.context_tokens,
            parallel=self.spec.parallel,
            parent=os.getpid(),
            weights=self.weights,
        )
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(msgspec.json.encode(settings) + b"\n")
            await process.stdin.drain()
            process.stdin.close()
        self.log.add(f"engine {self.spec.engine} started, process {process.pid}")
        return process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # a line over the limit
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if text:
                self.log.add(text.replace(self.spec.credential, "…"))

    async def _probe_until_dead(self, process: asyncio.subprocess.Process) -> None:
        url = f"http://127.0.0.1:{self.port}/health"
        end = time.monotonic() + START_SECONDS
        async with httpx2.AsyncClient(timeout=PROBE_SECONDS, verify=trusted()) as client:
            while process.returncode is None:
                healthy = await _healthy(client, url)
                if healthy:
                    await self.served.look(client, self.port, self.spec.credential)
                if healthy and self.state != "ready":
                    self._move("ready", "The engine answers.")
                if self.state == "starting" and time.monotonic() > end:
                    self.because = f"The engine did not answer within {START_SECONDS:.0f} s."
                    return
                with contextlib.suppress(TimeoutError):
                    pause = 2.0 if self.state == "ready" else 0.1
                    await asyncio.wait_for(process.wait(), pause)
        self.because = f"The engine ended with {_ending(process.returncode)}."

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _healthy(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx2.HTTPError:
        return False


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _environment() -> dict[str, str]:
    """What an engine needs and nothing else: the site's token is not for it."""
    kept = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
