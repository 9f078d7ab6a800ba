"""The tests' own PostgreSQL and Valkeys: the embedded stack's binaries, in a temporary folder."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from deploy.local import ports, postgres, valkey, valkey_users
from portal.lib import signing

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "dure_template"


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
        owner = server.url("dure_owner", passwords[3], TEMPLATE)
        self._migrate(owner)

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.children.append(
                subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            )

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
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
