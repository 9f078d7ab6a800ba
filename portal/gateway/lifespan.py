"""Opens everything before the first request and closes it after the last.

At the start: journals of dead gateways are adopted and settled before the first heartbeat. At the
end: what is open is settled, told to Valkey as far as it listens, and put onto the disk.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress

import structlog

from portal.admission.calls import AdmissionUnavailable
from portal.gateway import leases, unserved
from portal.gateway.config import Config
from portal.gateway.gateway import Gateway, build

ADOPT_SECONDS = 10.0
END_SECONDS = 5.0

_log = structlog.get_logger()


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Gateway]:
    """The gateway between its start and its end. ``OSError`` if the journal's folder cannot be
    written."""
    gateway = build(config)
    keepers = await _open(gateway)
    try:
        yield gateway
    finally:
        await _close(gateway, keepers)


async def _open(gateway: Gateway) -> list[asyncio.Task[None]]:
    await gateway.valkey.start()
    adopted = gateway.journal.adopt()
    for settlement in adopted:
        gateway.settler.later(settlement)
    if adopted:
        _log.warning("journal.adopted", settlements=len(adopted))
    return [
        _keeper("server", leases.keep_server_ready(gateway)),
        _keeper("table", gateway.table.keep_fresh()),
        _keeper("settle", gateway.settler.keep_settling()),
        _keeper("journal", gateway.journal.keep_syncing()),
        _keeper("renew", leases.keep_renewing(gateway)),
        _keeper("shedding", gateway.shedding.keep_watching()),
        _keeper("waiting", gateway.waiting.keep_looking()),
        _keeper("beat", _beat(gateway)),
        _keeper("time", gateway.pool.keep_time()),
        _keeper("log", gateway.access_log.keep_writing()),
    ]


async def _beat(gateway: Gateway) -> None:
    await gateway.settler.drain(ADOPT_SECONDS)
    await leases.keep_beating(gateway)


def _keeper(name: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    """A keeper never ends by itself; a gateway without one would fail slowly and in silence."""
    if not task.cancelled():
        _log.critical("keeper.died", keeper=task.get_name(), exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


async def _close(gateway: Gateway, keepers: list[asyncio.Task[None]]) -> None:
    gateway.draining = True
    if not await gateway.settler.drain(END_SECONDS):
        _log.warning("settle.left_to_journal", settlements=gateway.journal.waiting)
    for keeper in keepers:
        keeper.cancel()
    await asyncio.gather(*keepers, return_exceptions=True)
    with suppress(AdmissionUnavailable):  # then nobody knows that this run ended well
        await unserved.tell_last(gateway)
    gateway.pool.close()
    await gateway.valkey.stop()
    gateway.journal.close()
    gateway.access_log.write()
