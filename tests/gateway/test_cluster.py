"""A gateway over three primaries: one that dies takes its own cells with it, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portal.admission import calls, cluster, keys
from portal.gateway.journal import Journal
from portal.gateway.metrics import Metrics
from portal.gateway.settle import Settler
from portal.lib import ids
from portal.lib.ids import cell_of
from tests.admission.cell import connected
from tests.admission.cluster import PRIMARIES, ClusterOfThree
from tests.fakes.upstream import Upstream
from tests.gateway.world import LIMIT, GatewayProcess, World, month, target, wait_until

DEAD = 2  # it also holds the route table and what the gateways tell each second


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

    def leave_a_hold(self) -> None:
        """As of a gateway that died a minute ago."""
        request_id = ids.mint_request_id()
        self.world.admission.admit(
            self.code,
            epoch=1,
            sha256=ids.hash_api_key(self.key),
            request_id=request_id,
            model="smollm2",
            tokens_in=10,
            tokens_out=10,
            grant_number=0,
            kind="chat",
        )
        assert self.used()[0] > 0
        self.world.client.zadd(f"{keys.tag_of(self.code)}:leases", {request_id: 1}, xx=True)

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


def test_one_server_that_hangs_holds_nobody_else_up(
    gateway: GatewayProcess, customers: list[Customer], three: ClusterOfThree
) -> None:
    """And goes on as before when it wakes: it was not restarted, so nothing is lost."""
    assert [ask(gateway, one) for one in customers] == [(200, "")] * PRIMARIES
    others = [one for one in customers if one is not customers[DEAD]]

    three.nodes[DEAD].pause()
    try:
        for _ in range(3):
            assert ask(gateway, customers[DEAD]) == (503, "admission_unavailable")
            assert [ask(gateway, one) for one in others] == [(200, ""), (200, "")]
        wait_until(lambda: all(one.used() == (0, 4) for one in others))
    finally:
        three.nodes[DEAD].go_on()

    wait_until(lambda: ask(gateway, customers[DEAD]) == (200, ""))
    wait_until(lambda: customers[DEAD].used()[0] == 0)


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
    others[0].leave_a_hold()
    wait_until(lambda: others[0].used()[0] == 0)

    three.nodes[DEAD].start()
    three.wait()
    # Its cells were counted on the server of before: refused until the table says otherwise.
    assert [ask(gateway, customers[DEAD]) for _ in range(5)] == [refused] * 5

    world.publish()
    wait_until(lambda: ask(gateway, customers[DEAD]) == (200, ""))
    assert [ask(gateway, one) for one in customers] == [(200, "")] * PRIMARIES


async def test_nobody_is_told_behind_a_server_that_is_away(
    three: ClusterOfThree, world: World, tmp_path: Path
) -> None:
    """What cannot be told yet waits by server; here nothing that waits is ever told again."""
    valkey = await connected(cluster.connection(three.url("gateway")))
    async with asyncio.timeout(10):
        while not all(valkey.runs):  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)
    settler = Settler(valkey, Journal(tmp_path / "journal", "one"), Metrics())
    dead, living = three.cells_of(DEAD)[0], three.cells_of(0)[0]
    three.nodes[DEAD].kill()
    node: Any = valkey.place(calls.expire(dead))
    async with asyncio.timeout(10):
        while node.connected:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)
    for _ in range(600):
        settler.release(dead, ids.mint_request_id())

    name = ids.mint_request_id()
    settler.release(living, name)

    async with asyncio.timeout(5):
        while settler.waiting > 600:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)
    assert await valkey.ask(calls.release(living, name), 2) == b"released"  # known by now
    await valkey.stop()
