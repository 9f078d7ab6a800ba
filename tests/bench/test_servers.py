"""A benchmark that a test runs leaves alone what the test's own worker has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests import factories
from tests.plugin import WORKER

ROOT = Path(__file__).resolve().parents[2]
START = """
from bench import servers
servers.start()
from django.conf import settings
from tenants import rls
from tenants.models import Organization
with rls.everyone(because="test"):
    print(Organization.objects.count(), settings.VALKEY_URL, settings.DATABASES["default"]["NAME"])
"""


@pytest.mark.django_db(transaction=True)
def test_has_a_database_and_counters_of_its_own() -> None:
    """One that fell back on the worker's would end its connection and leave it filled."""
    factories.organization()

    done = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env=os.environ | {"PYTEST_XDIST_WORKER": WORKER},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    count, valkey_url, database = done.stdout.split()
    assert count == "0"
    assert valkey_url != os.environ["VALKEY_URL"]
    assert database != connection.settings_dict["NAME"]
    assert connection.is_usable()
