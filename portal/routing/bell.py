"""Waiting for the next look, or for the commit that makes one due (PostgreSQL's NOTIFY).

The bell may be missed: behind a pooler that hands out connections by the transaction, or while the
connection is being made again. Then the next look comes as it would without one.
"""

from __future__ import annotations

import contextlib
import time

import psycopg
from django.db import connection

CHANNEL = "dure_routes"  # of the trigger ``ring`` (deployments/migrations/0004_bell.py)


class Bell:
    """One connection of its own, which listens and does nothing else."""

    def __init__(self) -> None:
        self._wire: psycopg.Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Whether it has rung, since the last time that it was waited for or within so many
        seconds."""
        end = time.monotonic() + seconds
        try:
            for _ in self._listening().notifies(timeout=max(0.0, seconds), stop_after=1):
                return True
        except psycopg.Error:
            self.close()
            time.sleep(max(0.0, end - time.monotonic()))
        return False

    def _listening(self) -> psycopg.Connection:
        if self._wire is None:
            params = connection.get_connection_params()
            self._wire = psycopg.connect(**params, autocommit=True)
            self._wire.execute(f"LISTEN {CHANNEL}")
        return self._wire

    def close(self) -> None:
        if self._wire is not None:
            with contextlib.suppress(psycopg.Error):
                self._wire.close()
            self._wire = None
