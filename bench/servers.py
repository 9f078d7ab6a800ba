"""Servers and a database of a benchmark's own: what the tests have, without a test."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from bench.gateway import children, pin


def start() -> None:
    """Real PostgreSQL and Valkey, an empty migrated database, Django as the programs' role."""
    import tests.plugin  # noqa: F401  starts the servers and sets the environment
    from tests import conftest

    os.environ["DURE_DB_CONN_MAX_AGE"] = "600"  # as in production: a request finds a connection
    conftest._copy_template()
    import django

    django.setup()
    from django.conf import settings

    settings.DURE_CHECKPOINT_DIR = Path(tempfile.mkdtemp(prefix="dure-bench-"))


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
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        pin(pid, 0)
        waiting += children(pid)
