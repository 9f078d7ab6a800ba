"""Loaded first (``-p tests.plugin``): the servers run and the environment is set before Django.

The process that runs pytest starts the servers once; each xdist worker gets a copy of a migrated
database and a Valkey database of its own. A file is one worker's; the longest begin first, so that
no worker waits for another at the end.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.stack import ROOT, Stack

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
NUMBER = int(WORKER.removeprefix("gw"))

if "PYTEST_XDIST_WORKER" not in os.environ:
    Stack().start()
os.environ["VALKEY_URL"] = os.environ["VALKEY_URL"].rsplit("/", 1)[0] + f"/{NUMBER}"
os.environ["CELERY_BROKER_URL"] = os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0] + f"/{NUMBER}"
os.environ["DURE_CACHE_URL"] = os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0] + f"/{NUMBER + 32}"
os.environ["DATABASE_URL"] = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/dure_{WORKER}"

# Files that take longer than a quarter of a minute, the longest first.
LONG = (
    "web/test_walk.py",
    "journeys/test_whole.py",
    "web/test_permissions.py",
    "api/test_permissions.py",
    "bench/test_tenants.py",
    "drill/test_drill.py",
    "deploy/test_backup.py",
    "bench/test_gateway.py",
    "support/test_remarks.py",
    "tenants/test_audit_chain.py",
    "bench/test_billing.py",
    "drill/test_drill_billing.py",
    "gateway/test_scenarios_ends.py",
    "gateway/test_choosing.py",
    "billing/payments/test_events.py",
    "bench/test_requests.py",
    "drill/test_drill_fleet.py",
    "drill/test_drill_jobs.py",
    "bench/test_fleet.py",
    "mdc/test_stories.py",
    "billing/test_fiscal_book.py",
    "bench/test_overspend.py",
    "bench/test_simulation.py",
    "bench/test_clients.py",
    "bench/test_fuzz.py",
    "bench/test_audit_log.py",
    "provisioning/test_fleet_model.py",
)
_PLACES = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In a worker only: of the others, those with the most tests first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        tests = Counter(item.path for item in items)
        items.sort(key=lambda item: (_PLACES.get(item.path, len(LONG)), -tests[item.path]))
