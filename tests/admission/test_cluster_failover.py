"""A replica that takes its primary's place is found by both clients, and is another server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from deploy.local import valkey_users
from portal.admission import calls, cluster, keys, library, sync
from portal.lib import ids
from tests.admission.cell import EPOCH, connected
from tests.admission.cluster import ClusterOfThree

FAILED = 1


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterOfThree]:
    found = ClusterOfThree(tmp_path_factory.mktemp("cluster"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.mark.parametrize("user", [one.name for one in valkey_users.PROGRAMS])
def test_each_programs_user_finds_the_servers(three: ClusterOfThree, user: str) -> None:
    client = sync.connect(three.url(user), timeout_seconds=2)

    assert sync.Admission(client).run_ids() == [
        three.nodes[three.node_of(cell)].run_id() for cell in range(ids.CELLS)
    ]
    client.close()


async def test_a_replica_takes_over(three: ClusterOfThree) -> None:
    """With the functions and records that it has; the cells are still those of the old server."""
    replica = three.replicate(FAILED)
    admission = sync.Admission(sync.connect(three.url("publisher"), timeout_seconds=2))
    admission.load_functions()
    before = admission.run_ids()
    admission.open_cells(EPOCH, dict(enumerate(before)))
    cell = three.cells_of(FAILED)[0]
    three.nodes[FAILED].client.wait(1, 5000)
    connection = await connected(cluster.connection(three.url("gateway")))
    await until(lambda: connection.runs == before)

    three.nodes[FAILED].kill()
    await until(lambda: connection.runs[cell] == replica.run_id())
    await connection.load_functions()
    assert await connection.ask(calls.expire(cell), 2) == 0
    await until(lambda: all(admission.run_ids()))

    assert connection.has_functions
    assert library.is_ours(replica.client.execute_command(*library.ask_digest()))
    assert admission.run_ids() == connection.runs
    assert admission.opened_on()[cell] == before[cell] != connection.runs[cell]
    assert int(admission.text(keys.epoch(cell)) or 0) == EPOCH
    admission.client.close()
    await connection.stop()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.05)
