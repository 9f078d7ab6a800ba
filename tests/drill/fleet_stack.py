"""Three embedded sites, each behind a network of its own, and all programs of the product, on
servers that run already."""

from __future__ import annotations

import os
import signal
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import ports
from portal.fleet.drivers.embedded import EmbeddedDriver
from tests.drill.stack import DrillStack, Program, wait_for
from tests.factories import SITE_TOKEN

SITES = ("busan-1", "daegu-1", "gwangju-1")
GATEWAYS = ("gateway-1", "gateway-2")
ENGINES = 8  # ports of engines at a site
CARDS = {"rngd": 4, "atom-max": 3, "atom-plus": 3}
BROKEN_CHIP = "atom-plus"
LOST_SECONDS, LEAVE_SECONDS = 20, 15
LAST_LINES = 20  # of each log that are told when the drill cannot go on


@dataclass(frozen=True)
class SitePorts:
    """``near`` is the site's own, ``far`` the one in front of it, which may be cut."""

    first: int

    @property
    def near(self) -> int:
        return self.first

    @property
    def engines(self) -> range:
        return range(self.first + 1, self.first + 1 + ENGINES)

    @property
    def offset(self) -> int:
        return 1 + ENGINES

    @property
    def far(self) -> int:
        return self.near + self.offset

    def pairs(self) -> list[str]:
        return [f"{port + self.offset}:{port}" for port in (self.near, *self.engines)]


@dataclass
class FleetStack:
    """Every program of the drill. The servers are somebody else's."""

    folder: Path
    digest: str
    programs: dict[str, Program] = field(default_factory=dict)
    sites: dict[str, SitePorts] = field(default_factory=dict)
    gateways: dict[str, int] = field(default_factory=dict)

    def start_sites(self) -> None:
        """Sites and their networks; each answers when this returns."""
        start = 20000 + os.getpid() % 10000
        for code in SITES:
            first, last = ports.free_range(2 * (1 + ENGINES), start)
            start = last + 1
            self.sites[code] = SitePorts(first)
            self._add(f"network-{code}", ["tests.drill.fleet_network", *SitePorts(first).pairs()])
            self._add_site(code)
        for code in SITES:
            wait_for(f"the site {code}", lambda code=code: self.answers(code))  # type: ignore[misc]

    def _add_site(self, code: str) -> None:
        of = self.sites[code]
        words = ["tests.drill.fleet_site", "--site", code, "--region", code[:-2]]
        words += ["--port", str(of.near)]
        words += ["--engine-ports", f"{of.engines[0]}-{of.engines[-1]}"]
        words += ["--state-dir", str(self.folder / code)]
        for chip, count in CARDS.items():
            words += ["--card", f"{chip}={count}"]
        self._add(
            code,
            words,
            DURE_SITE_TOKEN=SITE_TOKEN,
            DRILL_PORT_OFFSET=str(of.offset),
            DRILL_BROKEN_CHIP=BROKEN_CHIP,
            DRILL_DIGEST=self.digest,
        )

    def start_programs(self) -> None:
        """Publisher, intake, gateways, and a worker as in production, with its beat."""
        self._add("publisher", ["portal.routing"])
        self._add("intake", ["django", "intake"])
        celery = ["celery", "-A", "portal", "worker", "--beat", "--concurrency", "2"]
        celery += ["-l", "WARNING", "--without-mingle"]
        self._add("worker", celery)
        valkey = os.environ["VALKEY_URL"].replace("//operator:", "//gateway:")
        for name, port in zip(GATEWAYS, ports.free(2), strict=True):
            self.gateways[name] = port
            self._add(
                name,
                ["portal.gateway"],
                VALKEY_URL=valkey,
                DURE_GATEWAY_ID=name,
                DURE_GATEWAY_PORT=str(port),
                DURE_JOURNAL_DIR=str(self.folder / name),
            )
        wait_for("the gateways", lambda: all(map(self.is_ready, GATEWAYS)), seconds=90)

    def _add(self, name: str, module: list[str], **env: str) -> None:
        made = Program(
            name,
            [sys.executable, "-m", *module],
            os.environ
            | {
                "PYTHONUNBUFFERED": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "DURE_SITE_LOST_SECONDS": str(LOST_SECONDS),
                "DURE_SITE_LEAVE_SECONDS": str(LEAVE_SECONDS),
            }
            | env,
            self.folder / f"{name}.log",
        )
        self.programs[name] = made
        made.start()

    def control_url(self, code: str) -> str:
        """Beyond the network."""
        return f"http://127.0.0.1:{self.sites[code].far}"

    def driver(self, code: str) -> EmbeddedDriver:
        """On this side of the network: what really is."""
        return EmbeddedDriver(f"http://127.0.0.1:{self.sites[code].near}", SITE_TOKEN)

    def answers(self, code: str) -> bool:
        return _ok(f"http://127.0.0.1:{self.sites[code].near}/health")

    def is_ready(self, gateway: str) -> bool:
        return _ok(f"http://127.0.0.1:{self.gateways[gateway]}/ready")

    def signal(self, code: str, number: int) -> None:
        """To the site and all its engines."""
        os.killpg(self.programs[code].pid, number)

    def cut(self, code: str) -> None:
        self.programs[f"network-{code}"].send(signal.SIGUSR1)

    def heal(self, code: str) -> None:
        self.programs[f"network-{code}"].send(signal.SIGUSR2)

    def dead(self) -> list[str]:
        """Names of programs that have ended by themselves."""
        return [name for name, one in self.programs.items() if not one.lives]

    def last_words(self) -> str:
        """The end of each program's log, and which of them are dead: why a drill did not go on."""
        told = [f"dead: {', '.join(self.dead()) or 'none'}"]
        for name, one in self.programs.items():
            lines = one.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            told += [f"--- {name}", *lines]
        return "\n".join(told)

    def stop(self) -> None:
        for code in self.sites:
            if self.programs[code].lives:
                self.signal(code, signal.SIGCONT)
        first = [one for name, one in self.programs.items() if name not in self.sites]
        DrillStack._end(first)
        DrillStack._end([self.programs[code] for code in self.sites])


def _ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status) == 200
    except (OSError, urllib.error.URLError):
        return False
