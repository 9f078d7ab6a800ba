"""What admission costs: Valkey's CPU per request, calls a second through the gateway's client.

    python -m bench.admission

Starts a Valkey of its own with the product's configuration (every write flushed), a grant with
four budgets in its chain, and admits and settles requests through one pipelined connection.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from deploy.local import ports, valkey
from portal.admission import calls, library
from portal.admission.grants import Grant, ModelGrant
from portal.admission.pipelined import Connection
from portal.lib import ids

REQUESTS = 20_000
CALLERS = 64
ORG_CODE = "acme0000"
CELL = ids.cell_of(ORG_CODE)
SHA = "a" * 64
CHAIN = tuple(f"{kind}_0123456789abcdef" for kind in ("fnd", "org", "prj", "key"))
EVENT = b"e" * 420  # about as long as an encoded UsageEvent
GRANT = Grant(
    number=1,
    organization=CHAIN[1],
    org_code=ORG_CODE,
    project=CHAIN[2],
    key=CHAIN[3],
    mode="live",
    models={
        "smollm2": ModelGrant(
            endpoint="ep_0123456789abcdef",
            model="smollm2-135m-instruct",
            kind="chat",
            price_in=150_000_000,
            price_cached=75_000_000,
            price_out=600_000_000,
            price_version="price_0123456789abcdef",
        )
    },
    sites=("daegu-1",),
    data_class="open",
    rpm=10_000_000,
    concurrency=10_000,
    budgets=CHAIN,
)


async def prepare(connection: Connection) -> None:
    await connection.ask(library.load_command(), timeout=5)
    await connection.ask(calls.open_cell(CELL, 1), timeout=5)
    await connection.ask(calls.publish_grant(CELL, sha256=SHA, grant=GRANT), timeout=5)
    for subject in CHAIN:
        limit = calls.set_limit(CELL, subject=subject, limit_micro=2**53 - 1, hard=True, number=1)
        await connection.ask(limit, timeout=5)


async def one(connection: Connection) -> float:
    """Admit and settle one request; seconds that admit took."""
    request_id = ids.mint_request_id()
    started = time.perf_counter()
    reply = await connection.ask(
        calls.admit(
            CELL,
            epoch=1,
            sha256=SHA,
            request_id=request_id,
            model="smollm2",
            tokens_in=900,
            tokens_out=512,
            grant_number=1,
            kind="chat",
        ),
        timeout=5,
    )
    took = time.perf_counter() - started
    calls.read_admitted(reply)
    settle = calls.settle(CELL, request_id=request_id, cost_micro=300_000, event=EVENT)
    await connection.ask(settle, timeout=5)
    return took


async def caller(connection: Connection, requests: int) -> list[float]:
    return [await one(connection) for _ in range(requests)]


async def server_cpu(connection: Connection) -> float:
    """Seconds of CPU that the server's main thread has used."""
    text = (await connection.ask(("INFO", "cpu"), timeout=5)).decode()
    fields = dict(line.split(":") for line in text.splitlines() if ":" in line)
    return float(fields["used_cpu_user_main_thread"]) + float(fields["used_cpu_sys_main_thread"])


async def measure(url: str) -> None:
    connection = Connection(url)
    await connection.start()
    async with asyncio.timeout(10):
        while not connection.connected:  # noqa: ASYNC110 - a bench may poll
            await asyncio.sleep(0.01)
    await prepare(connection)
    await caller(connection, 200)  # warm

    server, client, started = await server_cpu(connection), time.process_time(), time.perf_counter()
    share = REQUESTS // CALLERS
    took = await asyncio.gather(*[caller(connection, share) for _ in range(CALLERS)])
    wall = time.perf_counter() - started
    client_us = (time.process_time() - client) / (share * CALLERS) * 1e6
    server_us = (await server_cpu(connection) - server) / (share * CALLERS) * 1e6
    alone = statistics.median(await caller(connection, 500)) * 1e6
    await connection.stop()

    print(f"figure admission_admit_settle_us {server_us:.1f} us")
    print(f"figure admission_client_us {client_us:.1f} us")
    print(f"figure admission_calls_per_second {2 * share * CALLERS / wall:.0f} 1/s")
    print(f"figure admission_admit_alone_us {alone:.0f} us")
    together = statistics.median(one for some in took for one in some) * 1e6
    print(f"figure admission_admit_{CALLERS}_callers_us {together:.0f} us")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = valkey.Server(Path(folder), ports.free(1)[0], secrets.token_hex(8), always=True)
        process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL)
        try:
            server.wait()
            asyncio.run(measure(server.url()))
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    main()
