"""The protocol on three primaries: each call goes to the server of its cell, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from portal.admission import calls, cluster, keys, library, slots, sync
from portal.admission.calls import AdmissionUnavailable
from portal.admission.pipelined import Connection
from portal.lib import ids
from tests.admission.cell import EPOCH, GRANT, SHA, change, connected, month_in_seoul
from tests.admission.cluster import PRIMARIES, ClusterOfThree


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterOfThree]:
    found = ClusterOfThree(tmp_path_factory.mktemp("cluster"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def admission(three: ClusterOfThree) -> Iterator[sync.Admission]:
    """Through the publisher's own user: open, empty."""
    for node in three.nodes:
        node.client.flushdb()
    client = sync.connect(three.url("publisher"), timeout_seconds=2)
    found = sync.Admission(client)
    found.load_functions()
    runs = found.run_ids()
    found.open_cells(EPOCH, dict(enumerate(runs)))
    yield found
    client.close()


@pytest.fixture
async def connection(three: ClusterOfThree) -> AsyncIterator[Connection]:
    found = await met(cluster.connection(three.url("gateway")))
    yield found
    await found.stop()


async def met(connection: Connection) -> Connection:
    """Started, and every cell's server met."""
    await connected(connection)
    async with asyncio.timeout(10):
        while not all(connection.runs):  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)
    return connection


def prepare(admission: sync.Admission, code: str) -> None:
    admission.publish_grants([(SHA, change(GRANT, org_code=code), False)])
    for subject in GRANT.budgets:
        admission.set_limit(code, subject=subject, limit_micro=1000, hard=True, number=1)


def admit(cell: int, request_id: str, **changes: Any) -> calls.Command:
    wish: dict[str, Any] = {
        "epoch": EPOCH,
        "sha256": SHA,
        "request_id": request_id,
        "model": "smollm2",
        "tokens_in": 100,
        "tokens_out": 200,
        "grant_number": 10,
        "kind": "chat",
    }
    return calls.admit(cell, **wish | changes)


def month(three: ClusterOfThree) -> str:
    return month_in_seoul(three.nodes[0].client.time()[0] * 1000)


@pytest.mark.parametrize("number", range(PRIMARIES))
async def test_holds_settles_and_releases_on_each_server(
    three: ClusterOfThree, admission: sync.Admission, connection: Connection, number: int
) -> None:
    code = three.code_on(number)
    cell = ids.cell_of(code)
    prepare(admission, code)
    first, second = ids.mint_request_id(), ids.mint_request_id()

    for request_id in (first, second):
        held = calls.read_admitted(await connection.ask(admit(cell, request_id), 2))
        assert held.hold_micro == 300
    await connection.ask(calls.settle(cell, request_id=first, cost_micro=120, event=b"e"), 2)
    await connection.ask(calls.release(cell, second), 2)

    now = admission.standing(code, subject="org_acme", month=month(three))
    assert now is not None
    assert (now.spent, now.held) == (120, 0)
    assert three.nodes[number].client.xlen(keys.events(cell)) == 1


async def test_one_server_named_is_enough_to_find_the_others(
    three: ClusterOfThree, admission: sync.Admission
) -> None:
    connection = await met(cluster.connection(three.url("gateway", 1)))

    assert connection.runs == admission.run_ids()
    assert len(set(connection.runs)) == PRIMARIES
    await connection.stop()


async def test_keys_without_a_cell_are_found(
    admission: sync.Admission, connection: Connection
) -> None:
    admission.client.set(keys.ROUTE_INDEX, b"index")
    admission.client.hset(keys.ROUTE_PARTS, "ep_a", b"part")
    await connection.ask(("HSET", keys.DEMAND, "gateway", b"told"), 2)

    assert await connection.ask(("GET", keys.ROUTE_INDEX), 2) == b"index"
    assert await connection.ask(("HMGET", keys.ROUTE_PARTS, "ep_a"), 2) == [b"part"]
    assert admission.client.hgetall(keys.DEMAND) == {b"gateway": b"told"}


async def test_functions_are_on_every_server(
    three: ClusterOfThree, admission: sync.Admission, connection: Connection
) -> None:
    await connection.load_functions()

    assert connection.has_functions
    for node in three.nodes:
        assert library.is_ours(node.client.execute_command(*library.ask_digest()))


async def test_a_server_without_functions_makes_the_gateway_unready(
    three: ClusterOfThree, admission: sync.Admission, connection: Connection
) -> None:
    three.nodes[2].client.execute_command("FUNCTION", "FLUSH")

    with pytest.raises(AdmissionUnavailable, match="not loaded"):
        await connection.load_functions()
    assert not connection.has_functions

    admission.load_functions()
    await connection.load_functions()
    assert connection.has_functions


def test_cells_close_and_open_apart(three: ClusterOfThree, admission: sync.Admission) -> None:
    mine = three.cells_of(1)
    admission.close_cells(EPOCH + 1, cells=mine)

    epochs = admission.epochs()
    assert {cell for cell, epoch in enumerate(epochs) if not epoch} == set(mine)

    runs = admission.run_ids()
    admission.open_cells(EPOCH + 1, {cell: runs[cell] for cell in mine})
    assert [admission.epochs()[cell] for cell in mine] == [EPOCH + 1] * len(mine)
    assert admission.opened_on() == runs


def test_streams_of_all_servers_are_read_at_once(
    three: ClusterOfThree, admission: sync.Admission
) -> None:
    cells = [three.cells_of(number)[0] for number in range(PRIMARIES)]
    for cell in cells:
        admission.client.xadd(keys.events(cell), {"event": str(cell)})
    intake = sync.connect(three.url("intake"), timeout_seconds=2)
    intake.set_response_callback("XREAD", lambda reply, **_: reply)

    names: Any = {keys.events(cell): "0-0" for cell in range(ids.CELLS)}
    found: Any = intake.xread(names, count=10, block=500)

    assert {keys.cell_in(name) for name, _ in found} == set(cells)
    for name, entries in found:
        ((_, fields),) = entries
        assert fields == [b"event", str(keys.cell_in(name)).encode()]
    intake.close()


def move(three: ClusterOfThree, cell: int, to: int) -> None:
    """The slot of an empty cell to another server."""
    name = three.nodes[to].client.execute_command("CLUSTER", "MYID")
    for node in (three.nodes[to], *three.nodes):
        node.client.execute_command("CLUSTER", "SETSLOT", slots.SLOT_OF_CELL[cell], "NODE", name)


async def test_a_moved_cell_fails_once_and_is_found_again(
    three: ClusterOfThree, admission: sync.Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("LOOK_SECONDS", "AGAIN_SECONDS"):  # so that it looks again only when it is told
        monkeypatch.setattr(cluster, pause, 60.0)
    connection = await met(cluster.connection(three.url("gateway")))
    cell = next(one for one in three.cells_of(0) if one != ids.cell_of(three.code_on(0)))
    admission.client.delete(keys.epoch(cell), keys.last_epoch(cell), keys.run(cell))
    before = connection.runs[cell]
    move(three, cell, 1)
    try:
        with pytest.raises(AdmissionUnavailable, match="MOVED"):
            await connection.ask(calls.expire(cell), 2)
        with pytest.raises(AdmissionUnavailable):
            admission.text(keys.epoch(cell))

        async with asyncio.timeout(5):
            while connection.runs[cell] == before:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.01)
        assert connection.runs[cell] == three.nodes[1].run_id()
        assert await connection.ask(calls.expire(cell), 2) == 0
        assert admission.run_ids()[cell] == three.nodes[1].run_id()
    finally:
        move(three, cell, 0)
        await connection.stop()
