"""Sites for the contract suite and the stories: an mdc process with fake engines, in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local import ports
from portal.fleet.drivers.contract import PlacementSpec, SiteReport, SiteSpec, SiteUnavailable
from portal.fleet.drivers.embedded import EmbeddedDriver

TOKEN = "t" * 40
ROOT = Path(__file__).resolve().parents[2]


def spec(number: int = 1, **changes: Any) -> PlacementSpec:
    fields: dict[str, Any] = {
        "id": f"plc_{number}",
        "epoch": 1,
        "endpoint": "ep_1",
        "engine": "chat",
        "model": "smollm2",
        "model_digest": "",
        "chip": "rngd",
        "cards": 1,
        "context_tokens": 2048,
        "parallel": 4,
        "credential": f"credential-{number}",
        "sdk": "llama.cpp",
        "artifact": "/models/smollm2.gguf",
    }
    return PlacementSpec(**fields | changes)


def wish(generation: int, *placements: PlacementSpec) -> SiteSpec:
    return SiteSpec(site="daegu-1", generation=generation, placements=placements)


def until[T](look: Callable[[], T], seconds: float = 10.0) -> T:
    """The first true answer. ``AssertionError`` after so long."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.03)


class Site:
    """One mdc process, which may be killed and started again over the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, first = ports.free(2)
        self.ports = (first, first + 20)
        self.process: subprocess.Popen[bytes] | None = None
        self.driver = EmbeddedDriver(f"http://127.0.0.1:{self.port}", TOKEN)

    def start(self) -> Site:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.fakes.mdc", "--site", "daegu-1"),
                *("--region", "daegu", "--port", str(self.port), "--card", "rngd=2"),
                *("--engine-ports", f"{self.ports[0]}-{self.ports[1]}"),
                *("--state-dir", str(self.folder)),
            ],
            cwd=ROOT,
            env=os.environ
            | {"DURE_SITE_TOKEN": TOKEN, "FAKE_WEIGHTS": str(self.folder.parent / "weights")},
            stdout=subprocess.DEVNULL,
        )
        until(self._answers, 20)
        return self

    def _answers(self) -> bool:
        try:
            self.driver.observe()
        except SiteUnavailable:
            return False
        return True

    def kill(self) -> None:
        """As ``kill -9``."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def states(self) -> dict[str, str]:
        return {one.placement: one.state for one in self.driver.observe().replicas}

    def ready(self, *names: str) -> SiteReport:
        """The report once exactly these replicas are ready and nothing else is there."""
        until(lambda: self.states() == dict.fromkeys(names, "ready"))
        return self.driver.observe()

    def engine_pids(self) -> list[int]:
        """Processes of our fake engines with one of this site's ports."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.endswith(b"fakes/engine.py") for word in words):
                port = int(words[-2])
                if self.ports[0] <= port <= self.ports[1]:
                    found.append(int(entry.name))
        return found
