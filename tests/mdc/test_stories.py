"""Real processes: a killed site leaves nothing behind, a killed engine comes back."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.fleet.drivers.contract import ReplicaReport, WishRefused
from tests.contracts.sites import Site, spec, until, wish

pytestmark = pytest.mark.story


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path / "state").start()
    yield found
    found.stop()


def replica(site: Site) -> ReplicaReport:
    return site.driver.observe().replicas[0]


def test_takes_its_engines_along_when_it_is_killed(site: Site) -> None:
    site.driver.apply(wish(1, spec(1), spec(2)))
    site.ready("plc_1", "plc_2")
    assert len(site.engine_pids()) == 2

    site.kill()

    until(lambda: not site.engine_pids())


def test_goes_on_where_it_was_after_a_kill(site: Site) -> None:
    site.driver.apply(wish(7, spec(1)))
    site.ready("plc_1")
    site.kill()
    site.start()

    assert site.ready("plc_1").generation == 7
    with pytest.raises(WishRefused):
        site.driver.apply(wish(6))
    assert any("started" in line.text for line in site.driver.logs("plc_1", 0).lines)


def test_keeps_the_state_folder_to_itself(site: Site) -> None:
    site.driver.apply(wish(1))

    assert site.folder.stat().st_mode & 0o077 == 0
    assert (site.folder / "site.json").stat().st_mode & 0o077 == 0


def test_ends_its_engines_when_it_is_stopped(site: Site) -> None:
    site.driver.apply(wish(1, spec(1)))
    site.ready("plc_1")

    site.stop()

    assert site.engine_pids() == []


def test_starts_a_killed_engine_again(site: Site) -> None:
    site.driver.apply(wish(1, spec(1)))
    site.ready("plc_1")
    (pid,) = site.engine_pids()

    os.kill(pid, signal.SIGKILL)

    until(lambda: replica(site).restarts == 1 and replica(site).state == "ready")
    assert site.engine_pids() != [pid]
    text = [line.text for line in site.driver.logs("plc_1", 0).lines]
    assert any("signal SIGKILL" in line for line in text)
    assert any("ready → failed" in line for line in text)


def test_says_why_an_engine_ends_again_and_again(site: Site) -> None:
    site.driver.apply(wish(1, spec(1, model="mortal")))

    until(lambda: site.driver.observe().replicas and replica(site).restarts >= 2)

    assert any("exit code 3" in line.text for line in site.driver.logs("plc_1", 0).lines)


def test_stops_an_engine_that_never_answers(site: Site) -> None:
    site.driver.apply(wish(1, spec(1, model="mute")))
    until(lambda: site.engine_pids())
    assert site.states() == {"plc_1": "starting"}

    site.driver.apply(wish(2))

    site.ready()
    until(lambda: not site.engine_pids())


def test_shows_no_credential_in_logs(site: Site) -> None:
    site.driver.apply(wish(1, spec(1, model="chatty")))
    site.ready("plc_1")

    text = "\n".join(line.text for line in site.driver.logs("plc_1", 0).lines)

    assert "my secret is …" in text
    assert "credential-1" not in text


def test_gives_engines_nothing_of_its_own_secrets(site: Site) -> None:
    site.driver.apply(wish(1, spec(1)))
    site.ready("plc_1")

    (pid,) = site.engine_pids()
    environment = Path(f"/proc/{pid}/environ").read_bytes()

    for word in (b"DURE", b"SECRET", b"DATABASE", b"VALKEY"):
        assert word not in environment


def test_replaces_an_engine_whose_wish_has_changed(site: Site) -> None:
    site.driver.apply(wish(1, spec(1)))
    site.ready("plc_1")
    (pid,) = site.engine_pids()

    site.driver.apply(wish(2, spec(1, credential="another")))

    until(lambda: site.engine_pids() not in ([], [pid]))
    assert len(site.ready("plc_1").replicas[0].cards) == 1


def test_refuses_other_weights_than_the_wanted_ones(site: Site) -> None:
    site.driver.apply(wish(1, spec(1, model_digest="sha256:other")))

    until(lambda: site.states() == {"plc_1": "failed"})

    assert "another digest" in replica(site).because
    assert site.engine_pids() == []


def test_passes_over_a_port_that_somebody_uses(site: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.ports[0]))
        other.listen()
        site.driver.apply(wish(1, spec(1)))

        found = site.ready("plc_1").replicas[0]

    assert found.url != f"http://127.0.0.1:{site.ports[0]}"
