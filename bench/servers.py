"""Servers and a database of a benchmark's own: what the tests have, without a test.

And what the kernel says about processes: CPU time, memory, which core.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of all threads of these processes, in seconds, as the scheduler counts it."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_mb(pid: int) -> float:
    """Resident memory, in MB of 1,048,576 bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def file_handles(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


def family(pid: int) -> list[int]:
    """The process and all that it started."""
    found = [pid]
    for child in children(pid):
        found += family(child)
    return found


def pin(pid: int, core: int) -> None:
    """On machines with one core nothing is pinned, and figures are worse."""
    if (os.cpu_count() or 1) > 1:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


def start() -> None:
    """Real PostgreSQL and Valkey, an empty migrated database, Django as the programs' role."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:  # a test runs this program: what the worker has stays as it is
        os.environ["PYTEST_XDIST_WORKER"] = f"gw{int(worker.removeprefix('gw')) + 16}"
    import tests.plugin  # noqa: F401  starts the servers and sets the environment
    from tests import conftest

    os.environ["DURE_DB_CONN_MAX_AGE"] = "600"  # as in production: a request finds a connection
    conftest._copy_template()
    import django

    django.setup()
    from django.conf import settings

    settings.DURE_CHECKPOINT_DIR = Path(tempfile.mkdtemp(prefix="dure-bench-"))


def serve_pages() -> None:
    """What pages need here: static files without a manifest, which nobody has made, and counters
    that know our functions."""
    import redis
    from django.conf import settings

    from portal.admission import library

    settings.SERVESTATIC_USE_MANIFEST = False
    settings.STATIC_ROOT = tempfile.mkdtemp(prefix="dure-bench-")
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    with redis.Redis.from_url(settings.VALKEY_URL) as valkey:
        valkey.execute_command(*library.load_command())


def superuser_url() -> str:
    """The benchmark's database as a role that no policy holds."""
    from django.conf import settings

    url = urlsplit(os.environ["DURE_TEST_SUPERUSER_URL"])
    return url._replace(path=f"/{settings.DATABASES['default']['NAME']}").geturl()


def analyze() -> None:
    """What the server does by itself some minutes after so many rows: plans need its numbers."""
    import psycopg

    with psycopg.connect(superuser_url(), autocommit=True) as server:
        server.execute("VACUUM ANALYZE")


def share_one_core() -> None:
    """From now on this process and the servers that it started have one core together."""
    for pid in family(os.getpid()):
        pin(pid, 0)
