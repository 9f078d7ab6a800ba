"""A short run of the fleet's drill, so that it does not rot: a site is killed and cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import drill_fleet


@pytest.mark.story
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broker")
def test_fails_no_request_while_another_site_is_up(
    tmp_path: Path, valkey_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = drill_fleet.run(
        kinds=["kill", "partition"],
        most_sites=1,
        clients=4,
        down_seconds=4,
        seed=7,
        folder=tmp_path,
    )

    told = capsys.readouterr().out
    assert code == 0, told
    for name in ("failed_requests", "two_owners", "wrong_deletions", "not_settled"):
        assert f"figure drill_{name} 0\n" in told


def test_the_whole_takes_every_site_away() -> None:
    given = drill_fleet.arguments([])

    assert given.only.split(",") == list(drill_fleet.KINDS)
    assert given.sites == 3
    assert given.down > 15  # for so long a site may be silent before it counts
