"""The benchmark runs, so that it does not rot. Bounds of time are for the large fleet only; that no
page asks more than 15 queries holds at any scale. What needs all programs at work is left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("sweep", "placement", "pages")


def test_measures_four_sites() -> None:
    """In a process of its own: it starts servers."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.fleet", "--small", "--only", *PARTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    for name in ("sweep_s", "placement_ms", "page_queries_max"):
        assert f"figure fleet_{name} " in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode == 0, done.stdout[-2000:]
