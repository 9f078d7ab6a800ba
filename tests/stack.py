"""The tests' own PostgreSQL and Valkeys: the embedded stack's binaries, in a temporary folder."""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from cryptography.fernet import Fernet

from deploy.local import ports, postgres, valkey, valkey_users
from portal.lib import signing

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "dure_template"
PASSWORD = "password"
MIGRATED_BY = ("tenants/migration_ops.py",)  # what migrations use, beside Django


class Stack:
    """Started once by the process that runs pytest; its workers inherit the environment."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dure-tests-"))
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        pg_port, admission_port, celery_port = ports.free(3)
        passwords = [secrets.token_hex(16) for _ in range(5)]
        durable = "DURE_STACK_DURABLE" in os.environ  # benchmarks flush as production does
        server = postgres.Server(self.folder / "pg", pg_port, passwords[0], durable=durable)
        admission = valkey.Server(
            self.folder / "admission",
            admission_port,
            passwords[1],
            always=durable,
            users={user.name: passwords[1] for user in valkey_users.PROGRAMS},
        )
        broker = valkey.Server(self.folder / "celery", celery_port, passwords[2], always=False)
        atexit.register(self.stop)
        kept = _kept()
        if kept is not None and kept.exists():
            passwords[0] = (kept / PASSWORD).read_text()
            server = replace(server, password=passwords[0])
            shutil.copytree(kept / "pg", server.folder)
        server.initialize()
        for name, command in (
            ("pg", server.command()),
            ("admission", admission.command()),
            ("celery", broker.command()),
        ):
            self._spawn(name, command)
        server.wait()
        admission.wait()
        broker.wait()
        server.prepare(TEMPLATE, owner_password=passwords[3], app_password=passwords[4])
        os.environ.update(
            {
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "DURE_TEST_SUPERUSER_URL": server.superuser_url(),
                "DATABASE_URL": server.url("dure_app", passwords[4], TEMPLATE),
                "VALKEY_URL": admission.url(),
                "CELERY_BROKER_URL": broker.url(),
                "SECRET_KEY": secrets.token_hex(32),
                "DURE_SEAL_KEYS": Fernet.generate_key().decode(),
                "DURE_AUDIT_KEY": signing.new_key(),
                "DURE_RECEIPT_KEYS": signing.new_key(),
                "DURE_WEB_ORIGIN": "http://testserver",
                "DURE_ADMIN_PATH": "reading-room-7c31f0/",
                "DURE_DATA_DIR": str(self.folder / "data"),
                "DURE_DB_CONN_MAX_AGE": "0",
            }
        )
        os.environ.pop("DATABASE_OWNER_URL", None)
        if kept is None or not kept.exists():
            self._migrate(server.url("dure_owner", passwords[3], TEMPLATE))
            if kept is not None:
                self._keep(kept, server)

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.children.append(
                subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            )

    def _keep(self, kept: Path, server: postgres.Server) -> None:
        """A copy of the stopped server for the next run with the same migrations."""
        running = self.children.pop(0)
        running.send_signal(signal.SIGINT)
        self._end(running)
        half = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.copytree(server.folder, half / "pg")
        (half / PASSWORD).write_text(server.password)
        try:
            half.rename(kept)
        except OSError:  # another run was first
            shutil.rmtree(half, ignore_errors=True)
        self._spawn("pg", server.command())
        self.children.insert(0, self.children.pop())
        server.wait()

    def _migrate(self, owner: str) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--database", "owner", "--skip-checks", "-v0"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_OWNER_URL": owner},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"migrations failed:\n{done.stderr}")

    def stop(self) -> None:
        for child in self.children:
            child.send_signal(signal.SIGINT if child is self.children[0] else signal.SIGTERM)
        for child in self.children:
            self._end(child)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def _kept() -> Path | None:
    """Where a migrated server of exactly these migrations is kept between runs, if
    ``DURE_TEST_SERVERS`` names a folder: for who runs one file after the other, not for CI."""
    folder = os.environ.get("DURE_TEST_SERVERS")
    if not folder:
        return None
    sources = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("portal/*/migrations/*.py")]
    sources += [Path(postgres.__file__), *(ROOT / name for name in MIGRATED_BY)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) / digest[:16]
