"""A base backup of a running server, with the log that was written meanwhile.

Not a dump: the audit log is sealed in the order of transaction numbers, which a dump begins anew
(``docs/adr/0011-base-backups.md``). The copy has roles, passwords and settings of the server, and
nothing of the keys in ``.dure/env``, without which sealed fields do not open.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.local.postgres import StackError, binary

BASE, LOG = "base.tar.gz", "pg_wal.tar.gz"
MANIFEST = "backup_manifest"
SECONDS = 6 * 3600  # for the copy of a large server


def _program(name: str) -> str:
    """The embedded one, or the server's own on the path: versions must be the same."""
    return shutil.which(name) or binary(name) if os.environ.get("DURE_PG_ON_PATH") else binary(name)


def _run(command: list[str], *, password: str = "", seconds: float = SECONDS) -> None:
    env = os.environ | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=seconds
    )
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise StackError(f"{Path(command[0]).name}: {' '.join(last)}")


def make(url: str, folder: Path) -> None:
    """Copy the server at ``url`` (a role that may replicate) into ``folder``, which must not be
    there yet. Half a copy is removed again."""
    if folder.exists():
        raise StackError(f"{folder} is there already. Each backup has a folder of its own.")
    parts = urlsplit(url)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        _run(
            [
                _program("pg_basebackup"),
                f"--host={parts.hostname}",
                f"--port={parts.port or 5432}",
                f"--username={unquote(parts.username or 'postgres')}",
                "--no-password",
                f"--pgdata={folder}",
                "--format=tar",
                "--gzip",
                "--wal-method=stream",
                "--checkpoint=fast",
                "--manifest-checksums=SHA256",
            ],
            password=unquote(parts.password or ""),
        )
        folder.chmod(0o700)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def unpack(folder: Path, data: Path) -> None:
    """The backup in ``folder`` as a server's data in ``data``, which must be empty or missing.

    Every file is compared with the manifest's digest. ``StackError`` says what is wrong; then
    nothing is left in ``data``.
    """
    for name in (BASE, LOG, MANIFEST):
        if not (folder / name).exists():
            raise StackError(f"{folder} is no whole backup: {name} is missing.")
    if data.exists() and any(data.iterdir()):
        raise StackError(f"{data} is not empty. Restore into an empty place.")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    data.chmod(0o700)
    try:
        _extract(folder / BASE, data)
        _extract(folder / LOG, data / "pg_wal")
        shutil.copy(folder / MANIFEST, data / MANIFEST)
        _run([_program("pg_verifybackup"), "--quiet", str(data)])
    except (tarfile.TarError, OSError, EOFError) as error:
        shutil.rmtree(data, ignore_errors=True)
        raise StackError(f"{folder} cannot be read: {error}") from error
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise


def _extract(archive: Path, into: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
