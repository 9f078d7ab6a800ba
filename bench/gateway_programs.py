"""The programs of the gateway's benchmark: engine, nginx, Valkey, gateways with a published world.

What is measured has core 0 for itself; everything else shares core 1. Any version of the gateway
can stand here: it is spoken to over HTTP and looked at through /proc.
"""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet

from bench.load import Tools
from bench.servers import family, pin
from deploy.local import valkey
from portal.admission import keys
from tests.gateway.world import CELL, GatewayProcess, World, free_port, target

UNDER_TEST, LOAD = 0, 1  # cores
BEFORE_OTHERS = -20  # an agent of the machine's that runs for 16 ms is no pause of the program's
MOST_FILES = 20_000
FUNDING = "fnd_gate"  # the fourth budget of the chain
MOODS = ("whole", "aligned", "spread", "engines", "first", "slots", "flood", "500", "die")

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 9000; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000;
  upstream engine {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Program:
    """Something that answers requests; ``pids`` is empty for the engine itself."""

    name: str
    port: int
    pids: Callable[[], list[int]] = list
    key: str = ""


@dataclass
class Place:
    """Where everything of one run lives, and what has to be stopped in the end."""

    folder: Path
    stack: ExitStack
    tools: Tools
    upstream: int = field(default_factory=free_port)

    def spawn(self, command: list[str], core: int, **more: str) -> int:
        """A program until the end of the run."""
        log = self.stack.enter_context((self.folder / "programs.log").open("ab"))
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | more)

        def stop() -> None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

        self.stack.callback(stop)
        pin(process.pid, core)
        return process.pid


def end_on_signals() -> None:
    """SIGTERM (``timeout`` sends it) ends like Ctrl-C: nothing that was started is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def allow_connections() -> int:
    """Raises the limit of open files for this process and what it starts; how many there may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def load_core(pid: int) -> None:
    pin(pid, LOAD)


def alone(pid: int) -> None:
    """On the core of what is measured, before whatever else the machine does there; the latter
    needs root, and does without."""
    pin(pid, UNDER_TEST)
    with suppress(PermissionError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(task.name), BEFORE_OTHERS)


def start_upstream(place: Place) -> Program:
    place.spawn(place.tools.upstream(place.upstream), LOAD)
    time.sleep(0.2)
    return Program("direct", place.upstream)


def start_nginx(place: Place) -> Program | None:
    """``None`` where it is not installed."""
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).exists():
        return None
    port = free_port()
    conf = place.folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=place.folder, port=port, upstream=place.upstream))
    pid = place.spawn([binary, "-c", str(conf), "-p", str(place.folder)], UNDER_TEST)
    time.sleep(0.5)
    for one in family(pid):
        alone(one)
    return Program("nginx", port, lambda: family(pid))


@dataclass
class Store:
    """The Valkey of admission as in production: every write is flushed."""

    server: valkey.Server
    pid: int
    seal_keys: str

    def world(self, database: int, upstream: int) -> World:
        """A published world with all moods of the engine, and four budgets without an end."""
        world = World(self.server.url(database), self.seal_keys).prepare()
        subjects = (*world.grant.budgets, FUNDING)
        world.grant = msgspec.structs.replace(
            world.grant, rpm=10**8, concurrency=10**6, budgets=subjects
        )
        world.first = world.grant
        for subject in subjects:
            world.limit(subject, 9 * 10**15)
        url = f"http://127.0.0.1:{upstream}"
        for mood in MOODS:
            world.endpoint(mood, target(mood, url, mood))
        world.endpoint("vectors", target("vectors", url, "vectors"), kind="embedding")
        world.publish()
        return world


def start_store(place: Place) -> Store:
    server = valkey.Server(place.folder / "valkey", free_port(), secrets.token_hex(8), always=True)
    pid = place.spawn(server.command(), LOAD)
    server.wait()
    return Store(server, pid, Fernet.generate_key().decode())


@dataclass
class Gateway:
    """A running gateway and the world that it serves."""

    process: GatewayProcess
    world: World

    @property
    def pid(self) -> int:
        assert self.process.process is not None
        return self.process.process.pid

    @property
    def program(self) -> Program:
        return Program("gateway", self.process.port, lambda: family(self.pid), self.world.key)

    def gauges(self) -> dict[str, float]:
        """What ``/metrics`` says of this moment."""
        _, _, page = self.process.send("GET", "/metrics", None, {})
        lines = (one.split() for one in page.decode().splitlines() if not one.startswith("#"))
        return {name: float(value) for name, value in lines if "{" not in name}


def start_gateway(folder: Path, world: World, **settings: str) -> Gateway:
    folder.mkdir(exist_ok=True)
    gateway = Gateway(GatewayProcess(world, folder, **settings).start(), world)
    for pid in family(gateway.pid):
        alone(pid)
    return gateway


def held(world: World) -> int:
    """Micro-won that any budget of the chain still holds."""
    return max(world.held(), world.standing(FUNDING).held)


def waiting_events(world: World) -> int:
    """Settled usage that nobody has taken yet."""
    return int(world.client.xlen(keys.events(CELL)))


def take_events(world: World) -> None:
    """As intake does, so that the server's memory does not grow with the benchmark."""
    world.client.xtrim(keys.events(CELL), maxlen=0, approximate=False)
