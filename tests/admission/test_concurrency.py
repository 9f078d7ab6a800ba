"""Many clients at once: invariant 1."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from portal.admission import calls
from portal.admission.calls import Refused
from portal.admission.pipelined import Connection
from tests.admission.cell import CELL, WON, Cell, command_of_admit, connected

CLIENTS = 50
LIMIT = 10_000 * WON
WORST = 3_000 * WON


def prepare(cell: Cell) -> None:
    cell.limit("org_acme", LIMIT, number=2)
    cell.limit("prj_one", 2 * LIMIT, number=2)


def test_fifty_clients_at_once_get_three_places(cell: Cell) -> None:
    prepare(cell)
    gate = Barrier(CLIENTS)

    def one(_: int) -> int | Refused:
        own = Cell(cell.url)
        own.client.ping()
        gate.wait(10)
        try:
            return own.admit(tokens_in=0, tokens_out=WORST).hold_micro
        except Refused as refusal:
            return refusal
        finally:
            own.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(one, range(CLIENTS)))

    assert sum(answer == WORST for answer in answers) == 3
    refusals = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(refusals) == 47
    assert {(one.reason, one.name, one.left, one.limit) for one in refusals} == {
        ("budget_exceeded", "org_acme", 1_000 * WON, LIMIT)
    }
    assert cell.used() == (0, 0, 3 * WORST)


async def test_fifty_gateways_never_overspend_while_they_settle(cell: Cell) -> None:
    """Each admits and settles again and again; the sum is spent to the last place."""
    prepare(cell)
    connections = [Connection(cell.url) for _ in range(CLIENTS)]
    await asyncio.gather(*[connected(connection) for connection in connections])

    async def gateway(connection: Connection) -> int:
        settled = 0
        for _ in range(100):
            command = command_of_admit(tokens_in=0, tokens_out=WORST)
            request = str(command[6])
            try:
                calls.read_admitted(await connection.ask(command, timeout=5))
            except Refused:
                continue
            cost = 100 * WON
            await connection.ask(
                calls.settle(CELL, request_id=request, cost_micro=cost, event=b"e"),
                timeout=5,
            )
            settled += cost
        return settled

    done = await asyncio.gather(*[gateway(connection) for connection in connections])
    await asyncio.gather(*[connection.stop() for connection in connections])

    spent, _, held = cell.used()
    assert held == 0
    assert spent == sum(done) == len(cell.events()) * 100 * WON
    assert LIMIT - WORST < spent <= LIMIT
    assert spent == 7_100 * WON  # at 7,100 won another 3,000 no longer fit
