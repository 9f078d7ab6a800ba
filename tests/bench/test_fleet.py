"""The benchmark runs, so that it does not rot. Bounds of time are for the large fleet only; that no
page asks more than 15 queries, and that no request fails for a dead site, holds at any scale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.fleet_figures import MOST

ROOT = Path(__file__).resolve().parents[2]


def test_measures_four_sites() -> None:
    """In a process of its own: it starts servers and programs."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.fleet", "--small"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    for name in MOST:
        assert f"figure {name} " in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode == 0, done.stdout[-2000:]
