"""The gateway's benchmark runs, so that it does not rot; only a quiet machine can judge times."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gateway_figures import TABLE, Figure, Found, report, verdict

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {"gw_rps_vs_litellm", "intake_events_per_s"}  # of a quick run


def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it pins itself to a core."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,  # a quiet machine needs 25 s
        check=False,
    )


needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="needs a C compiler"
)


@pytest.mark.story
@needs_compiler
def test_measures_every_figure_without_an_error() -> None:
    done = run("bench.gateway", "--quick")

    assert "errors 0\n" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 0, done.stdout[-3000:]
    for figure in TABLE:
        needs_nginx = figure.name.endswith("_vs_nginx") and "nginx is not" in done.stdout
        kind = "skipped" if figure.name in LEFT_OUT or needs_nginx else "figure"
        assert re.search(rf"^{kind} {figure.name}\b", done.stdout, re.M), done.stdout[-3000:]
    assert "machine " in done.stdout and "Valkey server" in done.stdout


@pytest.mark.story
@needs_compiler
def test_soaks_two_gateways_and_finds_nothing_left() -> None:
    done = run("bench.soak", "--requests", "600", "--clients", "12")

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for figure in ("soak_lost", "soak_doubled", "soak_orphans", "soak_errors"):
        assert f"figure {figure} 0 " in done.stdout, done.stdout[-3000:]
    for moment in ("start", "middle", "end"):
        assert re.search(rf"^{moment}: memory .* open_requests 0, ", done.stdout, re.M)


@pytest.mark.parametrize(
    ("figure", "value", "said"),
    [
        (Figure("f", "ms", 3, 5), 3, "aim ≤ 3 is met"),
        (Figure("f", "ms", 3, 5), 3.01, "holds: must be ≤ 5"),
        (Figure("f", "ms", 3, 5), 5, "holds: must be ≤ 5"),
        (Figure("f", "ms", 3, 5), 5.01, "BROKEN: must be ≤ 5"),
        (Figure("f", "MB", 0, 2, below=True), 1.99, "holds: must be < 2"),
        (Figure("f", "MB", 0, 2, below=True), 2, "BROKEN: must be < 2"),
        (Figure("f", "times", 200, 80, more_is_better=True), 200, "aim ≥ 200 is met"),
        (Figure("f", "times", 200, 80, more_is_better=True), 80, "holds: must be ≥ 80"),
        (Figure("f", "times", 200, 80, more_is_better=True), 79, "BROKEN: must be ≥ 80"),
    ],
)
def test_judges_by_the_bounds(figure: Figure, value: float, said: str) -> None:
    assert verdict(figure, value).startswith(said)


def test_reports_medians_ranges_and_what_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    found = Found()
    for value in (9.0, 3.0, 8.0):
        found.note("gw_cpu_request_vs_nginx", value)
    found.note("gw_streams_lost", 0)
    found.skip("there is none here", "gw_rps_vs_litellm")

    broken = report(found)

    said = capsys.readouterr().out
    assert broken == ["gw_cpu_request_vs_nginx"]
    assert "figure gw_cpu_request_vs_nginx 8.00 times [3.00-9.00]  BROKEN" in said
    assert "figure gw_streams_lost 0.000 streams [0.000-0.000]  aim ≤ 0 is met" in said
    assert "skipped gw_rps_vs_litellm: there is none here" in said
