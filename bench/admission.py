"""What admission costs: Valkey's CPU per request, calls a second through the gateway's client.

    python -m bench.admission [older functions.lua]

Starts a Valkey of its own with the product's configuration (every write flushed) and a cell of
200 organizations, and admits and settles requests of chains of 1, 3 and 4 budgets through one
pipelined connection, as the gateway's user. With an older text of the functions, which must take
the same calls, both are measured in turns on a server each, so that a busy machine troubles both
alike; then as a user who may touch all keys, because their names may differ.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from deploy.local import ports, valkey, valkey_users
from portal.admission import calls, library
from portal.admission.grants import Grant, ModelGrant
from portal.admission.pipelined import Connection
from portal.lib import ids

REQUESTS = 4_096  # of each chain in each turn
TURNS = 5
CALLERS = 64
CHAINS = (1, 3, 4)
OTHERS = 200  # budgets of other organizations in the cell
ORG_CODE = "acme0000"
CELL = ids.cell_of(ORG_CODE)
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


def sha_of(chain: int) -> str:
    """The hash of the key whose chain has so many budgets."""
    return f"{chain:064d}"


async def prepare(operator: Connection, text: str) -> None:
    async def ask(command: calls.Command) -> Any:
        return await operator.ask(command, timeout=5)

    await ask(("FUNCTION", "LOAD", "REPLACE", text))
    await ask(calls.open_cell(CELL, 1))
    for chain in CHAINS:
        grant = msgspec.structs.replace(GRANT, budgets=CHAIN[:chain])
        await ask(calls.publish_grant(CELL, sha256=sha_of(chain), grant=grant))
    seconds, _ = await ask(("TIME",))
    month = time.strftime("%Y-%m", time.gmtime(int(seconds) + 9 * 3600))
    for subject in (*CHAIN, *(f"prj_{number:016d}" for number in range(OTHERS))):
        await ask(
            calls.set_limit(CELL, subject=subject, limit_micro=2**53 - 1, hard=True, number=1)
        )
        await ask(
            calls.commit(CELL, reference=subject, month=month, amount_micro=1, subjects=[subject])
        )


async def one(connection: Connection, chain: int) -> float:
    """Admit and settle one request; seconds that admit took."""
    request_id = ids.mint_request_id()
    started = time.perf_counter()
    reply = await connection.ask(
        calls.admit(
            CELL,
            epoch=1,
            sha256=sha_of(chain),
            request_id=request_id,
            model="smollm2",
            tokens_in=900,
            tokens_out=512,
            grant_number=1,
            kind="chat",
        ),
        timeout=20,
    )
    took = time.perf_counter() - started
    if reply[0] != b"ok":
        raise SystemExit(f"refused: {reply}")
    settle = calls.settle(CELL, request_id=request_id, cost_micro=300_000, event=EVENT, tokens=700)
    if (await connection.ask(settle, timeout=20))[0] != b"settled":
        raise SystemExit("not settled")
    return took


async def caller(connection: Connection, requests: int, chain: int) -> list[float]:
    return [await one(connection, chain) for _ in range(requests)]


async def told(operator: Connection, section: str) -> dict[str, str]:
    text = (await operator.ask(("INFO", section), timeout=5)).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def server_cpu(operator: Connection) -> float:
    """Seconds of CPU that the server's main thread has used."""
    fields = await told(operator, "cpu")
    return float(fields["used_cpu_user_main_thread"]) + float(fields["used_cpu_sys_main_thread"])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = Connection(url)
    await connection.start()
    async with asyncio.timeout(10):
        while not connection.connected:  # noqa: ASYNC110 - a bench may poll
            await asyncio.sleep(0.01)
    try:
        yield connection
    finally:
        await connection.stop()


class Measured:
    """What one turn of one chain cost, per request."""

    def __init__(self) -> None:
        self.server_us: list[float] = []
        self.client_us: list[float] = []
        self.calls: list[float] = []
        self.together_us: list[float] = []

    async def turn(self, operator: Connection, connection: Connection, chain: int) -> None:
        share = REQUESTS // CALLERS
        server = await server_cpu(operator)
        client, started = time.process_time(), time.perf_counter()
        took = await asyncio.gather(*[caller(connection, share, chain) for _ in range(CALLERS)])
        wall, client = time.perf_counter() - started, time.process_time() - client
        server = await server_cpu(operator) - server
        self.server_us.append(server / REQUESTS * 1e6)
        self.client_us.append(client / REQUESTS * 1e6)
        self.calls.append(2 * REQUESTS / wall)
        self.together_us.append(statistics.median(one for some in took for one in some) * 1e6)


async def measure(servers: list[valkey.Server], texts: list[str]) -> None:
    user = "gateway" if len(texts) == 1 else ""
    found: dict[tuple[int, int], Measured] = defaultdict(Measured)
    async with AsyncExitStack() as stack:
        pairs = []
        for server, text in zip(servers, texts, strict=True):
            operator = await stack.enter_async_context(connected(server.url()))
            connection = await stack.enter_async_context(connected(server.url(user=user)))
            await prepare(operator, text)
            await caller(connection, 200, max(CHAINS))  # warm
            pairs.append((operator, connection))
        for _ in range(TURNS):
            for chain in CHAINS:
                for number, (operator, connection) in enumerate(pairs):
                    await found[chain, number].turn(operator, connection, chain)
        alone = statistics.median(await caller(pairs[0][1], 300, max(CHAINS))) * 1e6
    show(found, alone)


def show(found: dict[tuple[int, int], Measured], alone: float) -> None:
    for (chain, number), of in sorted(found.items()):
        name = f"admission_{'older_' if number else ''}{chain}_budgets_us"
        low = min(of.server_us)
        print(f"figure {name} {statistics.median(of.server_us):.1f} us (least {low:.1f})")
    most = found[max(CHAINS), 0]
    print(f"figure admission_admit_settle_us {statistics.median(most.server_us):.1f} us")
    print(f"figure admission_client_us {statistics.median(most.client_us):.1f} us")
    print(f"figure admission_calls_per_second {statistics.median(most.calls):.0f} 1/s")
    print(f"figure admission_admit_alone_us {alone:.0f} us")
    together = statistics.median(most.together_us)
    print(f"figure admission_admit_{CALLERS}_callers_us {together:.0f} us")


def main() -> None:
    texts = [library.source(), *(Path(name).read_text() for name in sys.argv[1:2])]
    users = {user.name: secrets.token_hex(8) for user in valkey_users.PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        servers = [
            valkey.Server(
                Path(folder) / str(number),
                ports.free(1)[0],
                secrets.token_hex(8),
                always=True,
                users=users,
            )
            for number in range(len(texts))
        ]
        processes = [
            subprocess.Popen(server.command(), stdout=subprocess.DEVNULL) for server in servers
        ]
        try:
            for server in servers:
                server.wait()
            asyncio.run(measure(servers, texts))
        finally:
            for process in processes:
                process.terminate()
                process.wait(10)


if __name__ == "__main__":
    main()
