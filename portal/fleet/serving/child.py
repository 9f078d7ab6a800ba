"""A vendor's server as a child process: started, watched, read, ended.

Nobody else on the machine can use it: it listens on loopback and asks for a credential that is
minted here and never leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from portal.lib.trust import trusted

LEASH = Path(__file__).with_name("leash.py")
PROBE_SECONDS = 4.0
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.2
LONGEST_LINE = 500


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver says about one engine (``ray_config.arguments_of``)."""

    placement: str
    epoch: int
    argv: tuple[str, ...]  # "{port}" and "{credential}" stand for what is decided here
    env: dict[str, str] = {}
    credential_env: str = ""
    credential_sha256: str
    health: str = "/health"
    metrics: str = "/metrics"
    startup_seconds: float = 600
    artifact: str = ""
    model_digest: str = ""


class EngineFailed(Exception):
    """The server did not start, ended, or no longer answers. The sentence says which."""


class Child:
    """One life of one server."""

    def __init__(self, settings: EngineSettings, log: Callable[[str], None]) -> None:
        self.settings = settings
        self.credential = secrets.token_urlsafe(32)
        self.port = 0
        self.started_ms = 0
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it can serve. ``EngineFailed``; then nothing of it is left."""
        self.port = _free_port()
        self.started_ms = int(time.time() * 1000)
        try:
            self._process = await self._spawn()
        except OSError as error:
            raise EngineFailed(f"The server could not be started: {error.strerror}.") from error
        self._reading = asyncio.create_task(self._read(self._process))
        try:
            await self._until_ready()
        except BaseException:
            await self.stop()
            raise

    async def _spawn(self) -> asyncio.subprocess.Process:
        given = {"{port}": str(self.port), "{credential}": self.credential}
        argv = [given.get(word, word) for word in self.settings.argv]
        env = environment(os.environ) | self.settings.env
        if self.settings.credential_env:
            env[self.settings.credential_env] = self.credential
        self._log(f"starting {Path(argv[0]).name} on port {self.port}")
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", str(LEASH), *argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
        )

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
                self._log(text.replace(self.credential, "…")[:LONGEST_LINE])

    async def _until_ready(self) -> None:
        end = time.monotonic() + self.settings.startup_seconds
        async with httpx2.AsyncClient(timeout=PROBE_SECONDS, verify=trusted()) as client:
            while not await self._answers(client):
                self._raise_if_ended()
                if time.monotonic() > end:
                    seconds = self.settings.startup_seconds
                    raise EngineFailed(f"The server was not ready within {seconds:.0f} s.")
                await asyncio.sleep(LOOK_SECONDS)
        self._raise_if_ended()

    async def ended(self) -> EngineFailed:
        """Wait for its end; how it ended, with nothing of it left."""
        assert self._process is not None
        code = await self._process.wait()
        await self.stop()
        return EngineFailed(f"The server ended with {_ending(code)}.")

    async def check(self, client: httpx2.AsyncClient) -> None:
        """``EngineFailed`` unless it runs and says that it can serve."""
        self._raise_if_ended()
        if not await self._answers(client):
            raise EngineFailed("The server does not answer its health check.")

    async def _answers(self, client: httpx2.AsyncClient) -> bool:
        try:
            answer = await client.get(self.url + self.settings.health, timeout=PROBE_SECONDS)
        except httpx2.HTTPError:
            return False
        return answer.status_code == 200

    def _raise_if_ended(self) -> None:
        if self._process is None:
            raise EngineFailed("The server is not running.")
        code = self._process.returncode
        if code is not None:
            raise EngineFailed(f"The server ended with {_ending(code)}.")

    async def stop(self) -> None:
        """Politely, then for certain. What it wrote before its end is logged."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._log("the server did not end; killed")
                if process.stdin is not None:
                    process.stdin.close()  # the leash kills its whole group
                await process.wait()
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=1.0)


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """What a server needs of its surroundings. The cluster's token is not for it."""
    kept = {
        name: value
        for name, value in outer.items()
        if not name.startswith(("RAY_AUTH", "DURE_")) and name != "RBLN_DEVICES"
    }
    if "RBLN_DEVICES" in outer:  # Ray's old name; the runtime wants one name only
        kept["RBLN_VISIBLE_DEVICES"] = outer["RBLN_DEVICES"]
    return kept


def devices(outer: Mapping[str, str]) -> tuple[int, ...]:
    """Numbers of the accelerators that Ray gave to this process, on this node."""
    text = outer.get("FURIOSA_DEVICES") or outer.get("RBLN_DEVICES") or ""
    words = [word.removeprefix("npu:") for word in text.split(",")]
    return tuple(int(word) for word in words if word.isdigit())


def settings_of(given: Mapping[str, Any]) -> EngineSettings:
    """``ValueError`` if the driver and this program do not fit together."""
    return msgspec.convert(dict(given), EngineSettings)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ending(code: int) -> str:
    number = -code if code < 0 else code - 128 if code > 128 else 0
    with contextlib.suppress(ValueError):
        if number:
            return f"signal {signal.Signals(number).name}"
    return f"exit code {code}"
