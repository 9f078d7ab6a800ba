"""Gateways in front of fake engines with a Valkey of their own, for programs that try them hard."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import msgspec
from cryptography.fernet import Fernet

from deploy.local import valkey
from portal.lib import ids
from tests.gateway.world import ORG_CODE, GatewayProcess, World, free_port, target, wait_until

PLENTY = 9 * 10**15  # micro-won: the largest hard budget


class Front:
    """``with Front(gateways=2) as front``: everything stops at the end, whatever happened."""

    def __init__(self, gateways: int = 1, *, always: bool = False, **settings: str) -> None:
        self._stack = ExitStack()
        self._count = gateways
        self._always = always
        self._settings = settings
        self.engine = ""
        self.gateways: list[GatewayProcess] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="dure-front-"))
            self._open(stack, Path(place))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self, stack: ExitStack, folder: Path) -> None:
        self.engine = self._start_engine(stack, folder)
        server = valkey.Server(
            folder / "valkey", free_port(), secrets.token_hex(8), always=self._always
        )
        _spawn(stack, server.command(), folder / "valkey.log")
        server.wait()
        self.world = World(server.url(), Fernet.generate_key().decode()).prepare()
        stack.callback(self.world.close)
        self.world.grant = msgspec.structs.replace(self.world.grant, rpm=10**8, concurrency=10**6)
        for subject in self.world.grant.budgets:
            self.world.limit(subject, PLENTY)
        self.world.endpoint("smollm2", target("ok", self.engine, "ok"))
        self.world.endpoint("e5", target("vectors", self.engine, "ok"), kind="embedding")
        self.world.publish()
        for number in range(self._count):
            place = folder / f"gateway-{number}"
            place.mkdir()
            gateway = GatewayProcess(self.world, place, **self._settings)
            stack.callback(gateway.stop)
            self.gateways.append(gateway.start())

    def _start_engine(self, stack: ExitStack, folder: Path) -> str:
        port = free_port()
        command = [sys.executable, "-m", "tests.fakes.upstream", "--port", str(port)]
        _spawn(stack, command, folder / "engine.log")
        return f"http://127.0.0.1:{port}"

    def another_key(self, name: str, limit: int = PLENTY, **changes: Any) -> str:
        """A key of the same project with a budget of its own, and other limits."""
        world, subject = self.world, f"key_{name}"
        world.limit(subject, limit)
        grant = msgspec.structs.replace(
            world.grant,
            number=1,
            key=subject,
            models=world.models,
            budgets=("org_gate", "prj_gate", subject),
            **changes,
        )
        key = ids.mint_api_key(ORG_CODE)
        world.admission.publish_grants([(ids.hash_api_key(key), grant, False)])
        return key

    def publish(self) -> None:
        """Tell all gateways, and wait until they know."""
        self.world.publish()
        for gateway in self.gateways:
            wait_until(
                lambda one=gateway: one.get("/ready")[1].get("table") == self.world.number, 15
            )


def _spawn(stack: ExitStack, command: list[str], log: Path) -> None:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)

    def stop() -> None:
        process.terminate()
        process.wait(20)

    stack.callback(stop)
