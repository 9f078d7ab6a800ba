"""The benchmark runs, so that it does not rot; what it judges is for a million entries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_measures_a_thousand_entries() -> None:
    """In a process of its own: it starts servers and stops time."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.requests", "--entries", "1000", "--rounds", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    for said in ("limits_of_key as owner", "figure requests_page_p95_ms_max ", "queries_max "):
        assert said in done.stdout, done.stderr[-2000:]
