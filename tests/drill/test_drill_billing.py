"""A few cycles of the month-end drill, so that it does not rot: nothing twice, nothing missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import drill_billing

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.story
def test_bills_everybody_once_whoever_is_killed() -> None:
    """In a process of its own: it starts servers and kills what uses them."""
    words = "--organizations 150 --kills 6 --seed 7"

    done = subprocess.run(
        [sys.executable, "-m", "bench.drill_billing", *words.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for name in ("duplicate_invoices", "missing_invoices", "number_gaps", "credits_twice"):
        assert f"figure drill_{name} 0\n" in done.stdout
    assert "figure drill_swallowed 0\n" in done.stdout


def test_the_whole_kills_fifty_times_over_thousands() -> None:
    given = drill_billing.arguments([])

    assert (given.kills, given.minutes) == (50, 25)
    assert given.organizations >= 2000
