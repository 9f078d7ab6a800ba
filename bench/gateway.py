"""CPU of the gateway per request and per streamed chunk, beside nginx as a plain proxy.

``python -m bench.gateway [--rounds 3] [--requests 20000]``. Both stand in front of the same
upstream and are loaded in turn, round by round, by the same clients; the process under test has a
core of its own, everything else shares another. What is counted is the CPU time that the kernel
booked for the process tree, so that a slow client or upstream does not change it. The gateway does
all it does in production: key, hold, choice, relay, count, journal, settle; nginx only forwards.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench.load import BODY, STREAM_BODY, Client, request
from deploy.local import valkey
from tests.gateway.world import GatewayProcess, World, free_port, target

STREAMS, CHUNKS = 100, 100
CONNECTIONS = 32


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of all threads of these processes, in seconds, as the scheduler counts it."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


def pin(pid: int, core: int) -> None:
    """On machines with one core nothing is pinned, and figures are worse."""
    if (os.cpu_count() or 1) > 1:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000;
  upstream engine {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class Measured:
    """One program under test."""

    def __init__(self, name: str, port: int, pids: Callable[[], list[int]], key: str) -> None:
        self.name = name
        self.port = port
        self.pids = pids
        self.key = key
        self.figures: dict[str, list[float]] = {}

    def note(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)


def spawn(stack: ExitStack, command: list[str], core: int) -> int:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def stop() -> None:
        process.terminate()
        process.wait(20)

    stack.callback(stop)
    pin(process.pid, core)
    return process.pid


def start_nginx(stack: ExitStack, folder: Path, upstream: int) -> Measured | None:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).exists():
        print("nginx is not installed: only the gateway is measured")
        return None
    port = free_port()
    place = folder / "nginx.conf"
    place.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    pid = spawn(stack, [binary, "-c", str(place), "-p", str(folder)], 0)
    time.sleep(0.5)
    for child in children(pid):
        pin(child, 0)
    return Measured("nginx", port, lambda: [pid, *children(pid)], "")


def start_gateway(stack: ExitStack, folder: Path, upstream: int) -> tuple[Measured, World]:
    from cryptography.fernet import Fernet

    server = valkey.Server(folder / "valkey", free_port(), secrets.token_hex(8), always=False)
    spawn(stack, server.command(), 1)
    server.wait()
    world = World(server.url(), Fernet.generate_key().decode()).prepare()
    stack.callback(world.close)
    world.grant = type(world.grant)(
        **{f: getattr(world.grant, f) for f in world.grant.__struct_fields__}
        | {"rpm": 10**8, "concurrency": 10**6}
    )
    for subject in world.grant.budgets:
        world.limit(subject, 9 * 10**15)
    url = f"http://127.0.0.1:{upstream}"
    world.endpoint("aligned", target("aligned", url, "aligned"))
    world.endpoint("spread", target("spread", url, "spread"))
    world.publish()
    gateway = GatewayProcess(world, folder).start()
    stack.callback(gateway.stop)
    assert gateway.process is not None
    pid = gateway.process.pid
    pin(pid, 0)
    return Measured("gateway", gateway.port, lambda: [pid], world.key), world


async def json_round(one: Measured, count: int) -> float:
    """CPU seconds of ``count`` whole answers over kept connections."""
    content = request(BODY.replace(b"MODEL", b"aligned"), one.key)
    clients = [await Client.connect(one.port) for _ in range(CONNECTIONS)]
    for client in clients:
        await client.ask(content)
    before = cpu_seconds(one.pids())

    async def run(client: Client) -> None:
        for _ in range(count // CONNECTIONS):
            await client.ask(content)

    await asyncio.gather(*(run(client) for client in clients))
    await asyncio.sleep(0.3)  # settlements that are still told
    used = cpu_seconds(one.pids()) - before
    for client in clients:
        client.close()
    return used


async def stream_round(one: Measured, model: bytes) -> float:
    """CPU seconds of all streams together."""
    content = request(STREAM_BODY.replace(b"MODEL", model), one.key)
    clients = [await Client.connect(one.port) for _ in range(STREAMS)]
    before = cpu_seconds(one.pids())
    seen = await asyncio.gather(*(client.ask(content) for client in clients))
    await asyncio.sleep(0.3)
    used = cpu_seconds(one.pids()) - before
    for client, answer in zip(clients, seen, strict=True):
        assert answer.count(b"data: ") >= CHUNKS + 2, answer[-300:]
        client.close()
    return used


async def measure(programs: list[Measured], rounds: int, count: int) -> None:
    for one in programs:
        await json_round(one, 2000)  # warm
    for _ in range(rounds):
        for one in programs:
            whole = count // CONNECTIONS * CONNECTIONS
            one.note("cpu_per_request", await json_round(one, whole) / whole * 1e6)
        for model in (b"aligned", b"spread"):
            for one in programs:
                used = await stream_round(one, model)
                one.note(f"cpu_per_chunk_{model.decode()}", used / STREAMS / CHUNKS * 1e6)


def report(programs: list[Measured]) -> None:
    for figure in programs[0].figures:
        middle = {}
        for one in programs:
            found = one.figures[figure]
            middle[one.name] = statistics.median(found)
            spread = f"[{min(found):.1f}-{max(found):.1f}]"
            print(f"figure {one.name}_{figure} {middle[one.name]:.1f} us  {spread}")
        if len(middle) == 2:
            print(f"figure ratio_{figure} {middle['gateway'] / middle['nginx']:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=20_000)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dure-bench-")))
        upstream = free_port()
        spawn(stack, [sys.executable, "-m", "bench.load", "--port", str(upstream)], 1)
        time.sleep(1)
        gateway, world = start_gateway(stack, folder, upstream)
        nginx = start_nginx(stack, folder, upstream)
        pin(os.getpid(), 1)
        programs = [gateway] if nginx is None else [nginx, gateway]
        uvloop.run(measure(programs, arguments.rounds, arguments.requests))
        report(programs)
        asked = 32 + 2000 // CONNECTIONS * CONNECTIONS  # warm-up
        whole = arguments.requests // CONNECTIONS * CONNECTIONS
        asked += arguments.rounds * (32 + whole + 2 * STREAMS)
        settled = int(world.client.xlen(f"{{c{world_cell()}}}:events"))
        memory = Path(f"/proc/{gateway.pids()[0]}/status").read_text().split("VmRSS:")[1].split()[0]
        print(f"figure gateway_memory {int(memory) / 1024:.0f} MB")
        print(f"check settled {settled} of {asked} requests, held {world.held()} micro-won")
        return int(settled != asked or world.held() != 0)


def world_cell() -> int:
    from tests.gateway.world import CELL

    return CELL


if __name__ == "__main__":
    sys.exit(main())
