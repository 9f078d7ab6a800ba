"""A short run of the fuzzer, of a fixed seed: no fault, and the same inputs each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.fuzz_inputs import make

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261126


def test_finds_no_fault_in_three_thousand_inputs() -> None:
    """In a process of its own, with servers of its own."""
    command = [sys.executable, "-m", "bench.fuzz", "--inputs", "3000", "--seed", str(SEED)]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )

    assert "figure fuzz_faults 0" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
    assert "figure fuzz_charged 0" not in done.stdout
    assert done.returncode == 0


def test_makes_the_same_inputs_again() -> None:
    found = [make(SEED, number, b"key") for number in range(300)]

    assert found == [make(SEED, number, b"key") for number in range(300)]
    assert {one.kind for one in found} == {"fields", "lines", "bytes"}
    assert found != [make(SEED + 1, number, b"key") for number in range(300)]
