"""Start a program once what it needs answers: ``python -m deploy.local.wait --for ready -- cmd``.

``valkey``: the admission Valkey answers. ``ready``: PostgreSQL answers, is migrated and set up,
and both Valkeys answer. Bounded: after 60 s it says what is missing and ends; supervisor tries
again.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

LIMIT_SECONDS = 60.0


def _valkey(url: str) -> str:
    import redis

    try:
        redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2).ping()
    except redis.RedisError as error:
        return f"Valkey does not answer: {error}"
    return ""


def _ready() -> str:
    marker = Path(os.environ["DURE_DATA_DIR"]) / "ready"
    if not marker.exists():
        return "the stack is not set up yet (migrations, bootstrap)"
    import psycopg

    try:
        psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return f"PostgreSQL does not answer: {error}"
    return _valkey(os.environ["VALKEY_URL"]) or _valkey(os.environ["CELERY_BROKER_URL"])


def missing(need: str) -> str:
    """What is missing of a need, or an empty text."""
    return _valkey(os.environ["VALKEY_URL"]) if need == "valkey" else _ready()


def main(arguments: list[str]) -> None:
    """Wait, then become the command."""
    need, command = arguments[1], arguments[3:]
    end = time.monotonic() + LIMIT_SECONDS
    while why := missing(need):
        if time.monotonic() > end:
            sys.exit(f"waited {LIMIT_SECONDS:.0f} s: {why}")
        time.sleep(0.1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
