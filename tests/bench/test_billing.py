"""A small month end runs, so that the benchmark does not rot; only a quiet machine can judge."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.billing import LEAST, MOST

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.story
def test_rates_drafts_replays_and_verifies_a_small_month() -> None:
    """In a process of its own, with servers of its own."""
    command = [sys.executable, "-m", "bench.billing"]
    command += ["--organizations", "30", "--events", "3000", "--year", "2000"]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert set(MOST) | set(LEAST) <= set(re.findall(r"^figure (\w+) ", done.stdout, re.M))
    assert "30 drafts" in done.stdout
    assert "nothing added" in done.stdout
    assert "the books agree" in done.stdout
