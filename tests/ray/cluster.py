"""A real Ray cluster on this machine's loopback, one address per node, for ``make test-ray``.

Whoever calls it has a network and processes of its own (``unshare``): Ray listens on all
addresses whatever it is told, and leaves processes behind. Ray stands in another environment
(``DURE_RAY_VENV``), as it does on a site.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from portal.fleet.drivers import ray_serve
from portal.fleet.drivers.contract import (
    PlacementSpec,
    ReplicaReport,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
)
from portal.fleet.drivers.ray_serve import RayServeDriver
from tests.contracts.sites import TOKEN, spec

ROOT = Path(__file__).resolve().parents[2]
RAY = Path(os.environ.get("DURE_RAY_VENV", ROOT / ".venv-ray")) / "bin" / "ray"
HEAD, WORKER = "127.0.1.1", "127.0.2.1"
# On one machine both nodes' proxies would share port 8000 (SO_REUSEPORT), and a connection to the
# head's address would die with the worker's proxy. On machines of their own all have one port.
WORKER_PORT = 8001
# Longest wait: a machine that many share took 300 s for what an idle one does in 40.
SECONDS = float(os.environ.get("DURE_RAY_SECONDS", "1200"))
# The driver's own bounds belong to a site's lease, which is not looked at here.
ray_serve.LOOK_SECONDS = ray_serve.TELL_SECONDS = ray_serve.AGENT_SECONDS = SECONDS


def said(text: str) -> None:
    print(f"    {text}", flush=True)


def until[T](look: Callable[[], T], what: str) -> T:
    """The first true answer; errors of a site that is away are waited out."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            if found := look():
                return found
        except SiteUnavailable as error:
            if time.monotonic() > end:
                raise AssertionError(f"{what}: {error}") from error
        assert time.monotonic() < end, f"{what}: not within {SECONDS:.0f} s"
        time.sleep(0.2)


@dataclass
class Cluster:
    """A head and a worker that can be started and killed."""

    folder: Path
    redis: str = ""
    driver: RayServeDriver = field(
        default_factory=lambda: RayServeDriver(f"http://{HEAD}:8265", TOKEN)
    )

    def _start(self, *words: str, ports: int) -> None:
        outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        surroundings = outer | {
            "PATH": f"{ROOT / 'tests' / 'ray' / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
            "RAY_agent_register_timeout_ms": "600000",  # a busy machine starts slowly
            "RAY_worker_register_timeout_seconds": "300",
            "RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(WORKER_PORT),
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "600",
            "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
            "RAY_kill_child_processes_on_worker_exit": "true",
        }
        if self.redis:
            surroundings["RAY_REDIS_ADDRESS"] = self.redis
            surroundings["RAY_external_storage_namespace"] = "dure"
        common = ["--num-cpus", "2", "--disable-usage-stats", "--object-store-memory", "80000000"]
        # Told ports are not waited for: Ray gives an agent only 15 s to find some.
        common += ["--dashboard-agent-listen-port", str(ports)]
        common += ["--dashboard-agent-grpc-port", str(ports + 1)]
        common += ["--runtime-env-agent-port", str(ports + 2)]
        common += ["--metrics-export-port", str(ports + 3)]
        labels = ["--labels", "dure.kr/chip=rngd,dure.kr/simulated=true"]
        with (self.folder / "ray.log").open("ab") as log:
            subprocess.run(
                [str(RAY), "start", *words, *common, *labels],
                cwd=self.folder,  # Ray puts it on every worker's path
                env=surroundings,
                stdout=log,
                stderr=log,
                timeout=SECONDS,
                check=True,
            )

    def start_head(self, cards: int = 2) -> None:
        began = time.monotonic()
        self._start(
            *("--head", "--node-ip-address", HEAD, "--port", "6379", "--dashboard-host", HEAD),
            *("--temp-dir", str(self.folder / "h"), "--resources", json.dumps({"FURIOSA": cards})),
            ports=20000,
        )
        until(self.driver.observe, "the head's API")
        said(f"head up: {time.monotonic() - began:.1f} s")

    def start_worker(self, cards: int = 1) -> None:
        began = time.monotonic()
        self._start(
            *("--address", f"{HEAD}:6379", "--node-ip-address", WORKER),
            *("--resources", json.dumps({"FURIOSA": cards})),
            ports=21000,
        )
        until(lambda: [one for one in self.driver.observe().cards if WORKER in one.id], "its cards")
        said(f"worker node up: {time.monotonic() - began:.1f} s")

    def kill_worker(self) -> None:
        """As a node that loses its power: everything on it at once."""
        raylets = pids(f"--node_ip_address={WORKER}")
        for pid in raylets:
            for one in (*_children(pid), pid):
                kill(one)

    def kill_head(self) -> None:
        """The head node and all that runs on it; the worker node lives on."""
        spared = {
            one for pid in pids(f"--node_ip_address={WORKER}") for one in (*_children(pid), pid)
        }
        for pid in (*pids("gcs_server"), *pids("raylet"), *pids("ray/dashboard"), *pids("ray::")):
            if pid not in spared:
                kill(pid)
        for pid in pids("llama-server"):
            if pid not in spared:
                kill(pid)
        # A machine that starts anew has no such note, and sees no processes of the other's: with
        # both, ``ray start`` takes the worker node for a head that still runs here.
        (self.folder / "h" / "ray_current_cluster").unlink(missing_ok=True)

    def look(self) -> SiteReport:
        """A report; a busy dashboard answers with 500 now and then, and is asked again."""
        return until(self.driver.observe, "a report")

    def tell(self, wanted: SiteSpec) -> None:
        """As workers do: again, until the site was told. ``WishRefused``."""

        def told() -> bool:
            self.driver.apply(wanted)
            return True

        until(told, "the wish is accepted")

    def away_from_head(self, found: dict[str, ReplicaReport]) -> str:
        """The placement on the worker node, once that node's own proxy answers: until then it is
        reached through another's."""

        def look() -> str:
            urls = {one.placement: one.url or "" for one in self.driver.observe().replicas}
            return next((name for name in found if WORKER in urls.get(name, "")), "")

        return until(look, "the worker node's own proxy")

    def ready(self, *names: str) -> dict[str, ReplicaReport]:
        """Once exactly these run."""

        def look() -> dict[str, ReplicaReport]:
            found = {one.placement: one for one in self.driver.observe().replicas}
            fine = set(found) == set(names) and all(one.state == "ready" for one in found.values())
            return found if fine else {}

        return until(look, f"ready: {', '.join(names)}")


def engine(number: int, folder: Path, **changes: object) -> PlacementSpec:
    weights = folder / "weights.gguf"
    weights.write_text("weights")
    return spec(number, sdk="llama.cpp", artifact=str(weights), **changes)


def pids(part: str) -> list[int]:
    """Processes of this test's own process table with this in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (os.getpid(), os.getppid()):
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if part in words:
                found.append(int(entry.name))
    return found


def _children(pid: int) -> list[int]:
    """All descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rsplit(")", 1)[1].split()[1])
    found, look = [], [pid]
    while look:
        now = look.pop()
        mine = [one for one, parent in parents.items() if parent == now]
        found += mine
        look += mine
    return found


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@dataclass
class Tally:
    """What clients saw. ``refused``: no first byte; ``cut``: began and did not end."""

    whole: int = 0
    refused: int = 0
    cut: int = 0
    longest: float = 0.0
    because: list[str] = field(default_factory=list)  # of those that were refused or cut

    def __str__(self) -> str:
        return (
            f"{self.whole} whole, {self.refused} without a first byte, {self.cut} cut short, "
            f"longest {self.longest:.1f} s {'; '.join(self.because[:3])}".rstrip()
        )


def ask(url: str, number: int, *, words: int = 10, tally: Tally | None = None) -> list[bytes]:
    """One streamed answer in its pieces; counted in ``tally``."""
    tally = tally or Tally()
    body = {"stream": True, "max_tokens": words, "messages": [{"role": "user", "content": "hi"}]}
    pieces: list[bytes] = []
    began = time.monotonic()
    try:
        with httpx2.stream(
            "POST",
            f"{url}/v1/chat/completions",
            json=body,
            headers={"authorization": f"Bearer credential-{number}"},
            timeout=SECONDS,
        ) as answer:
            pieces = list(answer.iter_raw())
        if answer.status_code != 200:
            tally.because.append(f"{answer.status_code} {b''.join(pieces)[:200]!r}")
            pieces = []
    except httpx2.HTTPError as error:
        tally.because.append(f"{type(error).__name__}: {error}")
    tally.longest = max(tally.longest, time.monotonic() - began)
    if pieces and b"[DONE]" in b"".join(pieces):
        tally.whole += 1
    elif pieces:
        tally.cut += 1
    else:
        tally.refused += 1
    return pieces


@contextmanager
def load(url: str, number: int, clients: int = 2) -> Iterator[Tally]:
    """Streams all the time, until the end of the block."""
    tally, over = Tally(), threading.Event()

    def go() -> None:
        while not over.is_set():
            ask(url, number, tally=tally)

    threads = [threading.Thread(target=go) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        over.set()
        for thread in threads:
            thread.join()
