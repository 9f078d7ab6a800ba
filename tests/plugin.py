"""Loaded first (``-p tests.plugin``): the servers run and the environment is set before Django.

The process that runs pytest starts the servers once; each xdist worker gets a copy of a migrated
database and a Valkey database of its own.
"""

from __future__ import annotations

import os

from tests.stack import Stack

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
NUMBER = int(WORKER.removeprefix("gw"))

if "PYTEST_XDIST_WORKER" not in os.environ:
    Stack().start()
os.environ["VALKEY_URL"] = os.environ["VALKEY_URL"].rsplit("/", 1)[0] + f"/{NUMBER}"
os.environ["CELERY_BROKER_URL"] = os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0] + f"/{NUMBER}"
os.environ["DURE_CACHE_URL"] = os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0] + f"/{NUMBER + 32}"
os.environ["DATABASE_URL"] = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/dure_{WORKER}"
