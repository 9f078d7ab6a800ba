"""Several gateway processes on one port: one for each core.

The parent only starts them, starts again what died, and passes signals on. Each has its own name
and, where one is set, its own port for metrics (the first given, then the next ones).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

import structlog

PAUSES = (0.5, 1.0, 2.0, 5.0)  # before it is started again; the last one for all further times
LONG_SECONDS = 60.0  # one that lived so long is started again quickly

_log = structlog.get_logger()


def environment_of(number: int, environment: Mapping[str, str], gateway_id: str) -> dict[str, str]:
    """The environment of one of the processes, counted from 0."""
    found = dict(environment) | {
        "DURE_GATEWAY_PROCESSES": "1",
        "DURE_GATEWAY_SHARE_PORT": "1",
        "DURE_GATEWAY_ID": f"{gateway_id}-{number}",
    }
    if admin := int(environment.get("DURE_GATEWAY_ADMIN_PORT") or 0):
        found["DURE_GATEWAY_ADMIN_PORT"] = str(admin + number)
    return found


async def run(count: int, gateway_id: str) -> None:
    """Until SIGTERM or SIGINT, and all have ended."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    living: dict[int, asyncio.subprocess.Process] = {}

    def pass_on(number: int) -> None:
        if number != signal.SIGHUP:
            stop.set()
        for process in living.values():
            if process.returncode is None:
                process.send_signal(number)

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(one, pass_on, one)
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            environment = environment_of(number, os.environ, gateway_id)
            group.create_task(_keep(number, environment, living, stop))


async def _keep(
    number: int,
    environment: dict[str, str],
    living: dict[int, asyncio.subprocess.Process],
    stop: asyncio.Event,
) -> None:
    loop = asyncio.get_running_loop()
    failures = 0
    while not stop.is_set():
        began = loop.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "portal.gateway", env=environment
        )
        living[number] = process
        if stop.is_set():  # told while this one was being started
            process.terminate()
        code = await process.wait()
        if stop.is_set():
            return
        failures = 0 if loop.time() - began > LONG_SECONDS else failures + 1
        _log.error("gateway.died", number=number, code=code, failures=failures)
        pause = PAUSES[min(failures, len(PAUSES) - 1)]
        try:
            async with asyncio.timeout(pause):
                await stop.wait()
        except TimeoutError:
            continue
