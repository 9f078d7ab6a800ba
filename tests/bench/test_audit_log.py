"""A benchmark's audit log is whole before it is measured."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from bench import audit_log
from tenants import actors, audit, rls, verifying
from tests import factories
from tests.factories import NOON


@pytest.mark.django_db(transaction=True)
def test_seals_what_waits_behind_a_running_transaction(settings: Any, tmp_path: Path) -> None:
    """The server's own analyze is one: without waiting for it, half a log would be measured."""
    settings.DURE_CHECKPOINT_DIR = tmp_path / "checkpoints"
    firm = factories.organization()
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_current_xact_id()")
        with rls.tenant(firm.pk):
            audit.record("thing.late", by=actors.system(firm, "tests"), now=NOON, subject="prj_9")
        waiting = threading.Timer(0.2, other.commit)
        waiting.start()
        audit_log.seal_all(now=NOON)
        waiting.join()

    report = verifying.verify(firm, now=NOON)
    assert (report.events, report.unsealed) == (1, 0)
