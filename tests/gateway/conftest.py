"""The published world, the engines, and a gateway in front of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, target


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


@pytest.fixture
def other_upstream() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


@pytest.fixture
def world(valkey_url: str, upstream: Upstream) -> Iterator[World]:
    """A chat model and an embedding model that answer well."""
    found = World(valkey_url, os.environ["DURE_SEAL_KEYS"]).prepare()
    found.endpoint("smollm2", target("ok", upstream.url, "ok"))
    found.endpoint("e5", target("vectors", upstream.url, "ok"), kind="embedding")
    found.publish()
    yield found
    found.close()


Start = Callable[..., GatewayProcess]


@pytest.fixture
def start(world: World, tmp_path: Path) -> Iterator[Start]:
    """Starts gateways; all of them are stopped in the end."""
    started: list[GatewayProcess] = []

    def begin(folder: str = "one", *, ready: bool = True, **settings: str) -> GatewayProcess:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        made = GatewayProcess(world, place, **settings)
        started.append(made)
        return made.start(ready=ready)

    yield begin
    for one in started:
        one.stop()


@pytest.fixture
def gateway(start: Start) -> GatewayProcess:
    return start()
