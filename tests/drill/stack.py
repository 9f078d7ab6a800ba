"""The whole stack in processes of the drill's own: each can be killed, stopped, started again."""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis
from cryptography.fernet import Fernet

from deploy.local import ports, postgres, valkey, valkey_users
from portal.lib import signing

ROOT = Path(__file__).resolve().parents[2]
GATEWAYS = ("gateway-1", "gateway-2")
DAEGU, GWANGJU = "daegu-1", "gwangju-1"
STORES = ("postgres", "valkey")
STARTED_SECONDS = 60.0


class DrillFailed(Exception):
    """The drill could not go on; the sentence says where."""


@dataclass
class Program:
    """One process; what it says goes into a file of its name."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        """A signal to it alone; nothing if it has ended."""
        if self.lives:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)

    def limit_files(self, size: int) -> None:
        """Let no file of it grow beyond ``size``, as on a full disk; -1 lifts it."""
        if self.lives:
            soft = resource.RLIM_INFINITY if size < 0 else size
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))


@dataclass
class DrillStack:
    """PostgreSQL, Valkey, publisher, intake, sweeper, two gateways, an engine, a site."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="dure-drill-")))
    programs: dict[str, Program] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = ports.free(6)
        self.ports = dict(
            zip(("postgres", "valkey", *GATEWAYS, "engine", "site"), found, strict=True)
        )
        words = [secrets.token_hex(16) for _ in range(4)]
        self.postgres = postgres.Server(self.folder / "pg", self.ports["postgres"], words[0])
        self.valkey = valkey.Server(
            self.folder / "valkey",
            self.ports["valkey"],
            words[1],
            always=True,
            users={user.name: secrets.token_hex(16) for user in valkey_users.PROGRAMS},
        )
        self.owner_password, self.app_password = words[2:]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = kept | {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": self.postgres.url("dure_app", self.app_password, "dure"),
            "VALKEY_URL": self.valkey.url(),
            "CELERY_BROKER_URL": self.valkey.url(5),  # nothing is queued here
            "SECRET_KEY": secrets.token_hex(32),
            "DURE_SEAL_KEYS": Fernet.generate_key().decode(),
            "DURE_AUDIT_KEY": signing.new_key(),
            "DURE_RECEIPT_KEYS": signing.new_key(),
            "DURE_WEB_ORIGIN": "http://testserver",
            "DURE_ADMIN_PATH": "reading-room-7c31f0/",
            "DURE_DATA_DIR": str(self.folder / "data"),
            "DURE_DB_CONN_MAX_AGE": "60",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def start_stores(self) -> None:
        """PostgreSQL with its schema, and Valkey; Django's environment is set here as well."""
        self.postgres.initialize()
        self._add("postgres", self.postgres.command())
        self._add("valkey", self.valkey.command())
        self.postgres.wait()
        self.valkey.wait()
        self.postgres.prepare(
            "dure", owner_password=self.owner_password, app_password=self.app_password
        )
        owner = self.postgres.url("dure_owner", self.owner_password, "dure")
        command = [sys.executable, "manage.py", "migrate", "--database", "owner"]
        subprocess.run(
            [*command, "--skip-checks", "-v0"],
            cwd=ROOT,
            env=self.env | {"DATABASE_OWNER_URL": owner},
            check=True,
        )
        os.environ.update(self.env)

    def start_programs(self) -> None:
        """All others, and wait until both gateways admit."""
        python = sys.executable
        engine = [python, "-m", "tests.drill.engine", "--port"]
        self._add("engine", [*engine, str(self.ports["engine"])])
        self._add("site", [*engine, str(self.ports["site"]), "--site", GWANGJU])
        self._add("publisher", [python, "-m", "portal.routing"], **self._as("publisher"))
        self._add("intake", [python, "manage.py", "intake"], **self._as("intake"))
        sweeper = [python, "-m", "tests.drill.sweeper", DAEGU]
        self._add("sweeper", sweeper, **self._as("portal"))
        for name in GATEWAYS:
            journal = self.folder / name
            self._add(
                name,
                [python, "-m", "portal.gateway"],
                DURE_GATEWAY_ID=name,
                DURE_GATEWAY_PORT=str(self.ports[name]),
                DURE_JOURNAL_DIR=str(journal),
                **self._as("gateway"),
            )
        self.wait_until_ready()

    def _as(self, user: str) -> dict[str, str]:
        return {"VALKEY_URL": self.valkey.url(user=user)}

    def _add(self, name: str, command: list[str], **env: str) -> None:
        made = Program(name, command, self.env | env, self.folder / f"{name}.log")
        self.programs[name] = made
        made.start()

    def restart(self, name: str) -> None:
        """Start it again, and for a store wait until it answers."""
        program = self.programs[name]
        program.start()
        if name == "valkey":
            wait_for("Valkey after its restart", self._valkey_answers)
        if name == "postgres":
            self._wait_for_postgres(program)

    def _valkey_answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _wait_for_postgres(self, program: Program) -> None:
        def answers() -> bool:
            if not program.lives:  # its last children still hold the shared memory
                program.start()
            try:
                self.postgres.wait(0.2)
            except postgres.StackError:
                return False
            return True

        wait_for("PostgreSQL after its restart", answers)

    def revive(self) -> list[str]:
        """Start whatever has ended by itself; its names."""
        dead = [name for name, one in self.programs.items() if not one.lives]
        for name in dead:
            self.restart(name)
        return dead

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.valkey.url(), socket_timeout=2, socket_connect_timeout=2)

    def is_ready(self, gateway: str) -> bool:
        url = f"http://127.0.0.1:{self.ports[gateway]}/ready"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return int(answer.status) == 200
        except (OSError, urllib.error.URLError):
            return False

    def wait_until_ready(self, seconds: float = STARTED_SECONDS) -> None:
        wait_for(
            "the gateways", lambda: all(self.is_ready(one) for one in GATEWAYS), seconds=seconds
        )

    def stop(self) -> None:
        """End every process of the drill; the stores last, or the others would wait for them."""
        self._end([one for name, one in self.programs.items() if name not in STORES])
        self._end([one for name, one in self.programs.items() if name in STORES])

    @staticmethod
    def _end(programs: list[Program]) -> None:
        for program in programs:
            program.send(signal.SIGCONT)
            program.send(signal.SIGINT if program.name == "postgres" else signal.SIGTERM)
        for program in programs:
            if program.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.process.wait(10)
                program.kill()

    def drop(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(what: str, done: Callable[[], bool], seconds: float = 60.0) -> float:
    """Seconds that it took. ``DrillFailed`` if it does not happen."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > seconds:
            raise DrillFailed(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)
    return time.monotonic() - began
