"""A few cycles of the drill, so that it does not rot: nothing lost, doubled, overspent or left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import drill
from tests.drill import faults

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.story
def test_loses_and_doubles_nothing() -> None:
    """In a process of its own: it starts servers that it kills. With this seed intake is killed,
    and the gateway that is away has lost its holds with the file: no lease is waited for."""
    words = "--faults 1 --rest-every 9 --room 100 --seed 35"
    kinds = "kill,cut,copy,cut without a gateway"

    done = subprocess.run(
        [sys.executable, "-m", "bench.drill", "--only", kinds, *words.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for name in ("lost", "doubled", "overspent_won", "holds_left", "counter_drift_won"):
        assert f"figure drill_{name} 0\n" in done.stdout
    answered = done.stdout.partition("figure drill_answered ")[2].split()[0]
    assert int(answered) > 20


def test_the_whole_has_all_that_it_promises() -> None:
    given = drill.arguments([])

    wanted = drill.kinds(given)

    assert (wanted.count("kill"), wanted.count("cut"), wanted.count("copy")) == (200, 50, 10)
    assert set(wanted) == {"kill", "cut", "copy", *faults.FAULTS}
