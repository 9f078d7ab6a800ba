"""One gateway for all rows: its world changes with none of them, so that only differences count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, target, wait_until

SHORT = {"DURE_GATEWAY_HEADER_SECONDS": "2", "DURE_GATEWAY_BODY_SECONDS": "3"}


@dataclass
class Scene:
    """A gateway, its world and its site, and what had happened there before a row."""

    gateway: GatewayProcess
    world: World
    site: Upstream
    heard: int = 0
    events: int = 0
    logged: int = 0

    def note(self) -> None:
        """What comes from here on is the row's."""
        self.heard = len(self.site.engine.heard)
        self.events = len(self.world.events())
        self.logged = self.gateway.log.stat().st_size

    def log(self) -> str:
        """What the gateway wrote since."""
        with self.gateway.log.open("rb") as found:
            found.seek(self.logged)
            return found.read().decode()


@pytest.fixture(scope="module")
def scene(shared_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Waits are short: two seconds for headers, three for a body."""
    world = shared_world
    with Upstream() as site:
        world.reset()
        world.endpoint("hidden", target("hidden", site.url, "ok"))
        world.models.clear()
        world.endpoint("smollm2", target("ok", site.url, "ok"))
        world.endpoint("e5", target("vectors", site.url, "ok"), kind="embedding")
        world.endpoint("full", target("full", site.url, "refuse"))
        world.publish()
        gateway = GatewayProcess(world, tmp_path_factory.mktemp("scene"), **SHORT).start()
        wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)
        yield Scene(gateway, world, site)
        gateway.stop()
