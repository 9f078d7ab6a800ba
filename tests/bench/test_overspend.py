"""A small crowd of the overspend story: the same program, fewer clients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.story
def test_never_spends_more_than_a_limit() -> None:
    """In a process of its own, with servers of its own."""
    command = [sys.executable, "-m", "bench.overspend", "--clients", "60", "--gateways", "2"]

    done = subprocess.run(
        [*command, "--requests", "8"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert "figure overspend_won 0.000000" in done.stdout, done.stderr[-3000:]
    assert "figure overspend_faults 0" in done.stdout, done.stdout[-3000:]
    assert done.returncode == 0
