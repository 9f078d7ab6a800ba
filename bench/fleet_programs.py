"""The programs of the fleet's benchmark: pretended sites, and the product's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.fleet_crowd import SITE_TOKEN, Size

ROOT = Path(__file__).resolve().parents[1]
END_SECONDS = 20


def spawn(
    stack: ExitStack, words: list[str], log: Path, *, number: int = signal.SIGTERM, **more: str
) -> subprocess.Popen[bytes]:
    """A program until the end of the run."""
    file = stack.enter_context(log.open("ab"))
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=file, stderr=file, env=os.environ | more
    )
    stack.callback(_end, process, number)
    return process


def _end(process: subprocess.Popen[Any], number: int) -> None:
    process.send_signal(number)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Sites:
    """The pretended sites' process: where each listens, when each was told what."""

    process: subprocess.Popen[str]
    ports: dict[str, int] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)  # placement → Unix seconds
    done: list[float] = field(default_factory=list)

    def order(self, word: str, code: str) -> float:
        """``kill`` or ``revive`` a site; when it was done."""
        before = len(self.done)
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word} {code}\n")
        self.process.stdin.flush()
        while len(self.done) == before:
            time.sleep(0.001)
        return self.done[-1]

    def read(self) -> None:
        """Everything that it says, until its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "placement" in said:
                self.told.setdefault(said["placement"], said["at"])
            elif "done" in said:
                self.done.append(said["at"])


def start_sites(stack: ExitStack, size: Size) -> Sites:
    words = ["-m", "bench.fleet_sites", "--sites", str(size.sites), "--cards", str(size.cards)]
    process = subprocess.Popen(
        [sys.executable, *words, "--token", SITE_TOKEN],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(_end, process, signal.SIGKILL)  # it keeps nothing
    assert process.stdout is not None
    sites = Sites(process, json.loads(process.stdout.readline()))
    threading.Thread(target=sites.read, daemon=True).start()
    return sites
