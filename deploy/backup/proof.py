"""A backup is proven by a server that runs on it: it starts, and its books are read.

The books (``manage.py check_books``) say how many rows each table has, the sums of ledger, journal,
invoices and tax documents, and what does not add up. They are kept beside the backup; a restored
server must have the same.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from deploy.backup import copy
from deploy.local import ports
from deploy.local.config import ROOT, python
from deploy.local.postgres import Server, StackError

BOOKS = "books.json"
READ_SECONDS = 3600.0
START_SECONDS = 600.0  # the log that was written meanwhile is played back first

Books = dict[str, Any]


@contextmanager
def running(data: Path, password: str) -> Iterator[Server]:
    """A server on a port of its own that lives as long as the block."""
    server = Server(data, ports.free(1)[0], password)
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(server.command(), stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(server, log)
            yield server
        finally:
            _stop(child)


def _wait(server: Server, log: IO[bytes]) -> None:
    try:
        server.wait(START_SECONDS)
    except StackError as error:
        log.seek(0)
        last = log.read().decode(errors="replace").strip().splitlines()[-3:]
        raise StackError(f"{error} Its log ends so: {' / '.join(last)}") from error


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Fast and clean; clients are gone by now."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(10)


def books(url: str, env: dict[str, str]) -> Books:
    """The books of the server at ``url``, as the programs' own role sees them."""
    done = subprocess.run(
        [python(), "manage.py", "check_books", "--json"],
        cwd=ROOT,
        env=os.environ | env | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=READ_SECONDS,
    )
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise StackError(f"The books could not be read: {' / '.join(last)}")
    found: Books = json.loads(done.stdout)
    return found


def differences(before: Books, after: Books) -> list[str]:
    """What is not the same, line by line."""
    found = []
    for part in ("tables", "sums"):
        names = sorted(set(before[part]) | set(after[part]))
        found += [
            f"{name}: {before[part].get(name)} in the backup, {after[part].get(name)} now"
            for name in names
            if before[part].get(name) != after[part].get(name)
        ]
    return found + [f"new fault: {one}" for one in after["faults"] if one not in before["faults"]]


def prove(folder: Path, *, database_url: str, password: str, env: dict[str, str]) -> Books:
    """Restore it beside, read its books, keep them in the backup. ``database_url`` is the
    programs' one at the server that was copied; only its port is another."""
    with tempfile.TemporaryDirectory(prefix="dure-proof-", dir=folder.parent) as scratch:
        data = Path(scratch) / "data"
        copy.unpack(folder, data)
        with running(data, password) as server:
            found = books(at_port(database_url, server.port), env)
    (folder / BOOKS).write_text(json.dumps(found, indent=1, ensure_ascii=False))
    (folder / BOOKS).chmod(0o600)
    return found


def at_port(url: str, port: int) -> str:
    """The same database at 127.0.0.1 and another port."""
    parts = urlsplit(url)
    who = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{port}"))


def seconds_since(began: float) -> str:
    """For the person at the terminal."""
    return f"{time.monotonic() - began:.1f} s"
