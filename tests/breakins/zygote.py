"""A process that has imported what others wrote, and forks for each test: half of a start saved.

Run as a file, so that nothing of ours is imported before the copy's own. A line of JSON in
(``place``, ``environment``, ``test``, ``out``), the exit code out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

# No plugin of pytest: it rewrites those when it loads them.
OTHERS = [
    "argon2",
    "babel.messages",
    "celery",
    "cryptography.fernet",
    "django.contrib.admin.sites",
    "django.contrib.postgres.fields",
    "django.db.models",
    "django.db.backends.postgresql.base",
    "django.forms",
    "django.template",
    "django.test",
    "django_htmx",
    "dns.resolver",
    "environ",
    "httptools",
    "httpx2",
    "jwt",
    "msgspec",
    "PIL.Image",
    "psycopg",
    "psycopg_pool",
    "pypdf",
    "pytest",
    "redis",
    "rest_framework.serializers",
    "starlette.applications",
    "structlog",
    "typst",
    "uvicorn",
    "uvloop",
    "zxcvbn",
]


def preload() -> None:
    for name in OTHERS:
        try:
            importlib.import_module(name)
        except Exception as error:  # it is only a head start
            print(f"{name}: {error}", file=sys.stderr)


def run(wish: dict[str, object]) -> int:
    """One test in a child of its own."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70
    try:
        os.chdir(str(wish["place"]))
        sys.path[0] = str(wish["place"])
        os.environ.clear()
        os.environ.update(wish["environment"])  # type: ignore[call-overload]
        out = os.open(str(wish["out"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(out, stream)
        import pytest

        options = [
            "-p",
            "no:cacheprovider",
            "-x",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        ]
        code = int(pytest.main([*options, str(wish["test"])]))
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    preload()
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)
