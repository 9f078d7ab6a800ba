"""A short run of the jobs' drill, so that it does not rot: every line once, whoever is killed."""

from __future__ import annotations

import pytest

from bench import drill_jobs


@pytest.mark.story
@pytest.mark.django_db(transaction=True)
def test_answers_and_charges_each_line_once_whoever_is_killed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = drill_jobs.run(lines=60, kills=2, minutes=4, seed=7)

    told = capsys.readouterr().out
    assert code == 0, told
    assert "figure drill_jobs_results 60\n" in told
    assert "figure drill_jobs_charges 60\n" in told


def test_the_whole_has_five_thousand_lines() -> None:
    assert drill_jobs.arguments([]).lines == 5000
