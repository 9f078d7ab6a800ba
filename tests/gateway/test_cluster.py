"""A gateway over three primaries: one that dies takes its own cells with it, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portal.admission import keys
from portal.lib import ids
from portal.lib.ids import cell_of
from tests.admission.cluster import PRIMARIES, ClusterOfThree
from tests.fakes.upstream import Upstream
from tests.gateway.world import LIMIT, GatewayProcess, World, month, target, wait_until

DEAD = 1


class Customer:
    """An organization whose cell lives on one of the servers."""

    def __init__(self, world: World, code: str, number: int) -> None:
        self.world = world
        self.code = code
        self.subjects = tuple(f"{kind}_{number}" for kind in ("org", "prj", "key"))
        self.key = ids.mint_api_key(code)

    def publish(self) -> None:
        organization, project, key = self.subjects
        grant = msgspec.structs.replace(
            self.world.grant,
            organization=organization,
            project=project,
            key=key,
            org_code=self.code,
            budgets=self.subjects,
        )
        for subject in self.subjects:
            self.world.admission.set_limit(
                self.code, subject=subject, limit_micro=LIMIT, hard=True, number=1
            )
        self.world.admission.publish_grants([(ids.hash_api_key(self.key), grant, False)])

    def used(self) -> tuple[int, int]:
        """(held, events)."""
        found = self.world.admission.standing(self.code, subject=self.subjects[0], month=month())
        assert found is not None
        events: Any = self.world.client.xlen(keys.events(cell_of(self.code)))
        return found.held, events


@pytest.fixture
def three(tmp_path: Path) -> Iterator[ClusterOfThree]:
    found = ClusterOfThree(tmp_path / "cluster")
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def world(three: ClusterOfThree, upstream: Upstream) -> Iterator[World]:
    from cryptography.fernet import Fernet

    found = World(three.url(), Fernet.generate_key().decode()).prepare()
    found.endpoint("smollm2", target("ok", upstream.url, "ok"))
    found.publish()
    yield found
    found.close()


@pytest.fixture
def customers(three: ClusterOfThree, world: World) -> list[Customer]:
    found = [Customer(world, three.code_on(number), number) for number in range(PRIMARIES)]
    for customer in found:
        customer.publish()
    return found


@pytest.fixture
def gateway(three: ClusterOfThree, world: World, tmp_path: Path) -> Iterator[GatewayProcess]:
    found = GatewayProcess(world, tmp_path, VALKEY_URL=three.url("gateway"))
    yield found.start()
    found.stop()


def ask(gateway: GatewayProcess, customer: Customer) -> tuple[int, str]:
    """Status and the error's code."""
    status, _, told = gateway.chat("smollm2", authorization=f"Bearer {customer.key}")
    return status, told.get("error", {}).get("code", "")


def test_one_server_that_dies_takes_its_cells_alone(
    gateway: GatewayProcess, customers: list[Customer], three: ClusterOfThree, world: World
) -> None:
    refused = (503, "admission_unavailable")
    assert [ask(gateway, one) for one in customers] == [(200, "")] * PRIMARIES
    wait_until(lambda: all(one.used() == (0, 1) for one in customers))

    three.nodes[DEAD].kill()
    for _ in range(3):
        assert ask(gateway, customers[DEAD]) == refused
        assert [ask(gateway, one) for one in customers if one is not customers[DEAD]] == [
            (200, ""),
            (200, ""),
        ]
    others = [one for one in customers if one is not customers[DEAD]]
    wait_until(lambda: all(one.used() == (0, 4) for one in others))
    assert gateway.get("/ready")[0] == 200

    three.nodes[DEAD].start()
    three.wait()
    # Its cells were counted on the server of before: refused until the table says otherwise.
    assert [ask(gateway, customers[DEAD]) for _ in range(5)] == [refused] * 5

    world.publish()
    wait_until(lambda: ask(gateway, customers[DEAD]) == (200, ""), 10)
    assert [ask(gateway, one) for one in customers] == [(200, "")] * PRIMARIES
