"""The matrix of clients, its column for Python: the others need packages of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.story
def test_the_official_client_for_python_works_unchanged() -> None:
    """In a process of its own, with servers of its own."""
    command = [sys.executable, "-m", "bench.clients", "--only", "python", "plain"]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )

    assert "figure clients_calls_failed 0" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.returncode == 0
