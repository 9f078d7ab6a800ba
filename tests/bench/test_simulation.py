"""The simulation of money runs, and holds for a few seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_plays_three_stories() -> None:
    """In a process of its own: it starts servers, and kills its own programs."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.simulate_ledger", "--seeds", "3", "--first", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert "figure simulated_seeds 3" in done.stdout, done.stderr[-2000:]
    assert "figure simulated_broken 0" in done.stdout, done.stdout[-2000:]
    assert done.returncode == 0
