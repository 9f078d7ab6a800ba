"""A cell in the shared Valkey, and a Valkey of one's own for tests that stop or fill it."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import ports, valkey, valkey_users
from tests.admission.cell import Cell


@pytest.fixture
def cell(valkey_url: str) -> Iterator[Cell]:
    """Open, with limits of 1,000 micro-won for organization and project."""
    found = Cell(valkey_url).prepare()
    yield found
    found.close()


class OwnServer:
    """A Valkey with the product's configuration, which a test may stop, kill or fill."""

    def __init__(self, folder: Path) -> None:
        port = ports.free(1)[0]
        users = {user.name: secrets.token_hex(8) for user in valkey_users.PROGRAMS}
        self.server = valkey.Server(folder, port, secrets.token_hex(8), always=True, users=users)
        self.url = self.server.url()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.server.command(), stdout=subprocess.DEVNULL)
        self.server.wait()

    def kill(self) -> None:
        """As ``kill -9``."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[OwnServer]:
    server = OwnServer(tmp_path / "valkey")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_cell(own_server: OwnServer) -> Iterator[Cell]:
    found = Cell(own_server.url).prepare()
    yield found
    found.close()
