"""A Valkey that is full, hung, restarted or gone: bounded waits, and nothing spent twice."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest

from portal.admission import calls, sync
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.admission.pipelined import TIMEOUT_SECONDS, Connection
from portal.lib import ids
from tests.admission.cell import (
    CELL,
    EPOCH,
    GRANT,
    ORG_CODE,
    Cell,
    change,
    command_of_admit,
    connected,
)
from tests.admission.conftest import OwnServer


@pytest.fixture
async def connection(own_cell: Cell) -> AsyncIterator[Connection]:
    found = await connected(Connection(own_cell.url))
    yield found
    await found.stop()


def test_a_full_server_refuses_new_requests_and_does_all_else(own_cell: Cell) -> None:
    going, freed, over, settled_late = (own_cell.hold(10) for _ in range(4))
    own_cell.reserve("ord_1", 10)
    own_cell.reserve("ord_2", 10)
    own_cell.lapse(settled_late)
    own_cell.expire()

    own_cell.client.config_set("maxmemory", 1)

    for refused in (
        command_of_admit(),
        calls.reserve(
            CELL, reference="ord_3", month="2026-11", amount_micro=1, subjects=["org_acme"]
        ),
    ):
        with pytest.raises(AdmissionUnavailable, match="maxmemory"):
            own_cell.admission._ask(refused)
    assert own_cell.renew(going) == []
    assert own_cell.settle(going, 7) == ("settled", 7)
    assert own_cell.settle(settled_late, 7) == ("settled", 7)
    assert own_cell.settle(ids.mint_request_id(), 7) == ("late", 0)
    assert own_cell.release(freed) == "released"
    assert own_cell.charge_late(ids.mint_request_id(), 6) == 6
    own_cell.commit("ord_1", 10)
    assert own_cell.unreserve("ord_2") == "released"
    own_cell.limit("org_acme", 900, number=2)
    assert own_cell.publish(change(GRANT, number=11), revoked=True) == b"published"
    assert own_cell.admission.stale_orders(CELL, older_ms=0) == []
    assert own_cell.used() == (20, 10, 10)
    own_cell.admission.close_cells()
    own_cell.admission.open_cells(EPOCH + 1)
    own_cell.admission.load_functions()  # known already: not an error
    own_cell.client.config_set("maxmemory", 0)
    own_cell.lapse(over)
    own_cell.client.config_set("maxmemory", 1)
    assert own_cell.expire() == 1


async def test_a_gateway_connects_to_a_full_server(own_cell: Cell) -> None:
    from portal.admission import library

    request = own_cell.hold(10)
    own_cell.client.config_set("maxmemory", 1)
    connection = Connection(own_cell.url)
    connection.on_connect.append(library.load_command())

    await connected(connection)

    await connection.ask(calls.settle(CELL, request_id=request, cost_micro=7, event=b"e"))
    await connection.stop()
    assert own_cell.used() == (7, 0, 0)


async def test_a_hung_server_is_unavailable_in_bounded_time_and_the_tombstone_holds(
    own_cell: Cell, connection: Connection
) -> None:
    """The admit that timed out is executed later or never; either way nothing stays held."""
    request = ids.mint_request_id()
    own_cell.client.client_pause(1500, all=True)
    started = time.monotonic()

    with pytest.raises(AdmissionUnavailable, match="in time"):
        await connection.ask(command_of_admit(request_id=request))

    assert time.monotonic() - started < TIMEOUT_SECONDS + 0.3
    reply = await connection.ask(calls.release(CELL, request), timeout=5)
    assert reply == b"released"  # it was executed, and is freed
    assert own_cell.used() == (0, 0, 0)
    with pytest.raises(Refused, match="request_id_used"):
        calls.read_admitted(await connection.ask(command_of_admit(request_id=request)))


def test_djangos_client_gives_up_in_bounded_time_without_trying_again(own_cell: Cell) -> None:
    impatient = Cell(own_cell.url)
    impatient.client = sync.connect(own_cell.url, timeout_seconds=0.3)
    impatient.admission = sync.Admission(impatient.client)
    impatient.client.ping()
    own_cell.client.client_pause(1500, all=True)
    started = time.monotonic()

    with pytest.raises(AdmissionUnavailable):
        impatient.admission.reserve(
            ORG_CODE, reference="ord_1", month="2026-11", amount_micro=1, subjects=["org_acme"]
        )

    assert time.monotonic() - started < 1.0
    impatient.close()


def test_djangos_client_asks_once() -> None:
    """redis-py would try again by itself, and execute a call twice that nobody repeated."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            for _ in range(3):
                with contextlib.suppress(OSError):
                    peer, _ = server.accept()
                    peer.settimeout(0.5)
                    with peer, contextlib.suppress(TimeoutError):
                        while raw := peer.recv(4096):
                            heard.append(raw)
                            if b"FCALL" in raw:
                                break  # and close without an answer
                            greeting = b"%1\r\n$5\r\nproto\r\n:3\r\n"
                            peer.sendall(greeting if b"HELLO" in raw else b"")
                            peer.sendall(b"+OK\r\n" * raw.count(b"\r\nCLIENT\r\n"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        client = sync.connect(f"redis://127.0.0.1:{port}", timeout_seconds=0.5)
        started = time.monotonic()
        with pytest.raises(AdmissionUnavailable):
            sync.Admission(client).unreserve(ORG_CODE, reference="ord_1", month="2026-11")
        assert time.monotonic() - started < 2
        client.close()
        server.close()
        thread.join(10)

    assert b"".join(heard).count(b"FCALL") == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda admission: admission.run_id(),
        lambda admission: admission.epochs(),
        lambda admission: admission.close_cells(),
        lambda admission: admission.open_cells(1),
        lambda admission: admission.load_functions(),
        lambda admission: admission.publish_grants([("a" * 64, GRANT, False)]),
        lambda admission: admission.stale_orders(1, older_ms=0),
        lambda admission: admission.standing(ORG_CODE, subject="org_acme", month="2026-11"),
    ],
)
def test_a_server_that_is_gone_is_unavailable(own_server: OwnServer, call: object) -> None:
    own_server.kill()
    client = sync.connect(own_server.url)

    with pytest.raises(AdmissionUnavailable):
        call(sync.Admission(client))  # type: ignore[operator]

    client.close()


async def test_a_killed_server_keeps_every_hold_and_settlement(
    own_server: OwnServer, own_cell: Cell, connection: Connection
) -> None:
    """``kill -9``: the flushed file has it; the run id tells that it was another start."""
    going, settled = own_cell.hold(300), own_cell.hold(200)
    own_cell.settle(settled, 150)
    own_cell.reserve("ord_1", 100)
    before, run_id = own_cell.standing(), connection.run_id
    assert run_id == own_cell.admission.run_id()

    own_server.kill()
    with pytest.raises(AdmissionUnavailable):
        await connection.ask(command_of_admit())
    own_server.start()
    await connected(connection, start=False)

    assert connection.run_id not in ("", run_id)
    assert own_cell.standing() == before
    assert (before.spent, before.held) == (150, 400)
    assert own_cell.leases() == {going}
    assert len(own_cell.events()) == 1
    reply = await connection.ask(
        calls.settle(CELL, request_id=going, cost_micro=300, event=b"e"), timeout=5
    )
    assert reply == [b"settled", b"300"]


def test_many_grants_go_out_in_bounded_round_trips(cell: Cell) -> None:
    many = [(f"{number:064x}", change(GRANT, key=f"key_{number}"), False) for number in range(450)]

    cell.admission.publish_grants(many)

    assert cell.admit(sha256=f"{449:064x}").hold_micro == 300
