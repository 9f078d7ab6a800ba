"""Leases: ours made longer, everybody's ended when they ran out. And what each second needs."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from portal.admission import calls, keys
from portal.admission.calls import AdmissionUnavailable
from portal.gateway import forward, retelling, unserved
from portal.gateway.errors import Problem
from portal.lib.ids import CELLS
from portal.routing import demand

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

_log = structlog.get_logger()


RENEW_AT_ONCE = 100  # 0.7 ms of Valkey, in which every admit waits
EXPIRE_AT_ONCE = 8  # cells: all of them are 2 ms of the loop, in which every stream waits
EXPIRE_SECONDS, LEAST_SECONDS = 1.0, 0.05  # for all cells; for those after a server that hangs


async def keep_renewing(gateway: Gateway) -> None:
    """All open holds, many at once; until cancelled."""
    while True:
        await asyncio.sleep(gateway.config.renew_seconds)
        await renew(gateway)


async def renew(gateway: Gateway) -> None:
    """A stream whose lease is refused is ended: its key was revoked, or its hold is gone."""
    by_cell: dict[int, list[str]] = defaultdict(list)
    for request_id, call in gateway.open.items():
        by_cell[call.cell].append(request_id)
    batches = [
        (cell, ids[start : start + RENEW_AT_ONCE])
        for cell, ids in by_cell.items()
        for start in range(0, len(ids), RENEW_AT_ONCE)
    ]
    for cell, request_ids in batches:
        sent_ms = time.time_ns() // 1_000_000
        try:
            refused = await gateway.valkey.ask(calls.renew(cell, request_ids), 2.0)
        except AdmissionUnavailable as error:
            _log.warning("leases.not_renewed", holds=len(request_ids), because=str(error))
            continue  # running answers finish; the lease has 40 s left
        ended = {raw.decode() for raw in refused}
        for request_id in request_ids:
            if ours := gateway.open.get(request_id):
                if request_id in ended:
                    ours.end(_ended())
                else:
                    ours.leased_ms = sent_ms + retelling.LEASE_MS


def _ended() -> Problem:
    return Problem(
        401,
        "key_no_longer_valid",
        "The answer ends here: the API key was revoked or has expired. What came is charged.",
    )


async def keep_beating(gateway: Gateway) -> None:
    """Each second: demand, last uses and what no site took told, leases that ran out ended,
    connections to what left the table closed, and sites that went out of service waited for no
    more."""
    while True:
        await asyncio.sleep(1.0)
        gateway.pool.forget(gateway.table.urls)
        forward.leave_sites_that_are_out(gateway)
        for deed in (_tell_demand, unserved.tell, _tell_seen, expire):
            with suppress(AdmissionUnavailable):  # /ready says so; the next second tries again
                await deed(gateway)


async def _tell_demand(gateway: Gateway) -> None:
    now = asyncio.get_running_loop().time()
    second = gateway.traffic.take(time.time_ns() // 1_000_000, gateway.waiting.counts(), now)
    command = ("HSET", keys.DEMAND, gateway.config.gateway_id, demand.encode(second))
    await gateway.valkey.ask(command, 1.0)


async def _tell_seen(gateway: Gateway) -> None:
    """When and from where each key was last used: one call per cell that was used."""
    seen, gateway.seen = gateway.seen, {}
    of_cell: dict[int, list[str]] = {}
    for (cell, key), told in seen.items():
        of_cell.setdefault(cell, []).extend((key, told))
    for cell, pairs in of_cell.items():
        await gateway.valkey.ask(("HSET", keys.seen(cell), *pairs), 1.0)


async def expire(gateway: Gateway) -> None:
    """At most 100 of each cell; whoever comes first does it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + EXPIRE_SECONDS
    for first in range(0, CELLS, EXPIRE_AT_ONCE):
        cells = range(first, min(first + EXPIRE_AT_ONCE, CELLS))
        seconds = max(LEAST_SECONDS, until - loop.time())
        await asyncio.gather(
            *(gateway.valkey.ask(calls.expire(cell), seconds) for cell in cells),
            return_exceptions=True,
        )


LOOK_SECONDS = 0.2
PASSED_TURNS = 25  # of looks


async def keep_server_ready(gateway: Gateway) -> None:
    """After each start of the server: its functions loaded. And whenever the publisher asks what
    this gateway holds and has settled, that is told."""
    known, answered, turn, said = "", 0, 0, ""
    while True:
        run_id = gateway.valkey.run_id
        if gateway.valkey.connected:
            try:
                if run_id != known:
                    await _load_functions(gateway)
                    known = run_id
                answered = await retelling.look(gateway, answered)
                if turn % PASSED_TURNS == 0:
                    await retelling.note_passed(gateway)
                    await retelling.catch_up(gateway)
                said, turn = "", turn + 1
            except AdmissionUnavailable as error:
                if str(error) != said:  # once, and not five times a second
                    said = str(error)
                    _log.error("admission.not_ready", because=said)
        await asyncio.sleep(LOOK_SECONDS)


async def _load_functions(gateway: Gateway) -> None:
    """Only where they are missing; /ready is false where they are of another build."""
    await gateway.valkey.load_functions()
