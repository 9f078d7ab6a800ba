"""The benchmark runs, so that it does not rot. Bounds of time are for the large scale only; that no
page and no operation asks more than 15 queries holds at any scale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_measures_three_organizations() -> None:
    """In a process of its own: it starts servers and stops time."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.tenants", "--small", "--rounds", "1", "--turns", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    said = done.stdout
    assert "0 not sealed, 0 faults" in said, done.stderr[-2000:]
    assert "as owner: /members/" in said
    for name in (
        "tenants_page_p95_ms_max",
        "tenants_page_queries_max",
        "audit_verify_1m_s",
        "rls_cost_percent_max",
    ):
        assert f"figure {name} " in said, done.stderr[-2000:]
    broken = [one for one in said.splitlines() if one.startswith("broken: ")]
    assert done.returncode == 0, "\n".join(broken)
