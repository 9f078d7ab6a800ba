"""The published world, the engines, and a gateway in front of them.

A gateway takes a second to start, so the tests of a module share one; each test gets the world as
it was at the beginning, with engines of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, target, wait_until


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


@pytest.fixture
def other_upstream() -> Iterator[Upstream]:
    with Upstream() as found:
        yield found


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    found = World(os.environ["VALKEY_URL"], os.environ["DURE_SEAL_KEYS"])
    found.reset()
    found.publish()
    yield found
    found.client.flushdb()
    found.close()


@pytest.fixture(scope="module")
def shared_gateway(
    shared_world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    found = GatewayProcess(shared_world, tmp_path_factory.mktemp("gateway")).start()
    yield found
    found.stop()


@pytest.fixture
def world(shared_world: World, upstream: Upstream) -> World:
    """A chat model and an embedding model that answer well."""
    shared_world.reset()
    shared_world.endpoint("smollm2", target("ok", upstream.url, "ok"))
    shared_world.endpoint("e5", target("vectors", upstream.url, "ok"), kind="embedding")
    shared_world.publish()
    return shared_world


@pytest.fixture
def gateway(shared_gateway: GatewayProcess, world: World) -> GatewayProcess:
    wait_until(lambda: shared_gateway.get("/ready")[1].get("table") == world.number)
    return shared_gateway


Start = Callable[..., GatewayProcess]


@pytest.fixture
def start(world: World, tmp_path: Path) -> Iterator[Start]:
    """Starts gateways of a test's own; all of them are stopped in the end."""
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
