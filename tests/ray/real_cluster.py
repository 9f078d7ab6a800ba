"""The driver and the Serve application on a real Ray cluster: one story, told in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from portal.fleet.drivers.contract import SiteUnavailable, WishRefused
from tests.contracts.sites import wish
from tests.ray.cluster import HEAD, Cluster, ask, engine, kill, load, pids, said, until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("ray"))
    made.start_head()
    yield made
    made.kill_worker()
    made.kill_head()


@pytest.fixture
def folder(cluster: Cluster) -> Path:
    return cluster.folder


def test_deploys_and_streams_through(cluster: Cluster, folder: Path) -> None:
    began = time.monotonic()
    cluster.tell(wish(1, engine(1, folder)))
    said(f"first list accepted: {time.monotonic() - began:.1f} s")

    cluster.ready("plc_1")
    seconds = time.monotonic() - began
    # The agent may come up after the engine: only then is the digest known.
    until(lambda: cluster.look().replicas[0].model_digest, "the engine's own word")
    found = cluster.look().replicas[0]

    said(f"ready: {seconds:.1f} s")
    assert found.url == f"http://{HEAD}:8000/plc_1"
    assert found.cards == (f"{HEAD}/rngd-0",)
    assert found.model_digest.startswith("sha256:")
    pieces = ask(found.url, 1, words=20)
    assert b"[DONE]" in b"".join(pieces)
    assert len(pieces) > 5
    said(f"20 words came in {len(pieces)} pieces")
    page = until(lambda: cluster.driver.logs("plc_1", 0).lines, "log lines")
    assert any("listening on port" in line.text for line in page)
    assert not any("key" in line.text and "…" not in line.text for line in page)
    until(lambda: (one := cluster.look().replicas[0].served) and one.tokens_out, "counts")


def test_lets_nobody_in_without_the_credential(cluster: Cluster) -> None:
    url = f"http://{HEAD}:8000"
    asked = {"messages": []}

    for path in ("/plc_1/v1/chat/completions", "/dure-site/report"):
        answer = httpx2.post(url + path, json=asked, headers={"authorization": "Bearer x"})
        assert answer.status_code == 401, path
    assert httpx2.get(f"http://{HEAD}:8265/api/serve/applications/").status_code == 401


def test_a_client_that_leaves_stops_the_engine(cluster: Cluster) -> None:
    url, headers = f"http://{HEAD}:8000/plc_1/v1", {"authorization": "Bearer credential-1"}
    body = {"stream": True, "max_tokens": 5000, "messages": [{"role": "user", "content": "hi"}]}

    with httpx2.stream("POST", f"{url}/chat/completions", json=body, headers=headers) as answer:
        next(answer.iter_raw())
    left = time.monotonic()

    def look() -> bool:
        found = httpx2.post(f"{url}/open", json={}, headers=headers, timeout=20).json()
        return bool(found == {"streams": 0, "left": 1})

    until(look, "the engine's stream ended")
    said(f"engine stopped {time.monotonic() - left:.1f} s after its client had left")


def test_refuses_what_is_older(cluster: Cluster, folder: Path) -> None:
    cluster.tell(wish(2, engine(1, folder)))

    with pytest.raises(WishRefused):
        cluster.tell(wish(1))
    with pytest.raises(WishRefused):
        cluster.tell(wish(3, engine(1, folder, epoch=0)))

    assert cluster.ready("plc_1")
    assert cluster.look().generation == 2


def test_an_update_fails_no_request(cluster: Cluster, folder: Path) -> None:
    url = f"http://{HEAD}:8000/plc_1"
    old = pids("bin/llama-server --model")

    with load(url, 1) as tally:
        until(lambda: tally.whole > 3, "load")
        began = time.monotonic()
        cluster.tell(wish(4, engine(1, folder, parallel=8)))
        until(lambda: not set(old) & set(pids("bin/llama-server --model")), "the old engine's end")
        seconds = time.monotonic() - began
        done = tally.whole
        until(lambda: tally.whole > done + 3, "load after the update")

    said(f"update: {seconds:.1f} s; {tally}")
    assert (tally.refused, tally.cut) == (0, 0)
    cluster.ready("plc_1")


@pytest.mark.parametrize("what", ["bin/llama-server --model", "ray::ServeReplica:plc_1"])
def test_what_is_killed_comes_back(cluster: Cluster, what: str) -> None:
    url = f"http://{HEAD}:8000/plc_1"
    old = pids("bin/llama-server --model")
    with load(url, 1) as tally:
        until(lambda: tally.whole > 3, "load")
        began = time.monotonic()
        for pid in pids(what):
            kill(pid)
        until(
            lambda: not set(old) & set(pids("bin/llama-server --model")), "no engine is left over"
        )
        until(lambda: set(pids("bin/llama-server --model")) - set(old), "another engine")
        cluster.ready("plc_1")
        done = tally.whole
        until(lambda: tally.whole > done + 3, "answers again")
        seconds = time.monotonic() - began

    said(f"killed {what.split(maxsplit=1)[0]}: answers again after {seconds:.1f} s; {tally}")
    assert len(pids("bin/llama-server --model")) == len(old)


def test_a_lost_node_takes_only_its_own_with_it(cluster: Cluster, folder: Path) -> None:
    cluster.start_worker()
    wanted = [engine(number, folder) for number in (1, 2, 3)]
    cluster.tell(wish(5, *wanted))
    found = cluster.ready("plc_1", "plc_2", "plc_3")
    away = cluster.away_from_head(found)
    here = next(name for name in found if name != away)

    with load(f"http://{HEAD}:8000/{here}", int(here[-1])) as tally:
        until(lambda: tally.whole > 3, "load")
        began = time.monotonic()
        cluster.kill_worker()
        until(
            lambda: {one.placement: one.state for one in cluster.look().replicas}[away] != "ready",
            "the loss is seen",
        )
        seen = time.monotonic() - began

    lost = next(one for one in cluster.look().replicas if one.placement == away)
    said(f"lost node: seen after {seen:.1f} s as {lost.state} ({lost.because}); others: {tally}")
    assert (tally.refused, tally.cut) == (0, 0)
    began = time.monotonic()
    cluster.start_worker()
    cluster.ready("plc_1", "plc_2", "plc_3")
    said(f"all ready {time.monotonic() - began:.1f} s after the node's return")


def test_a_lost_head_is_told_everything_again(cluster: Cluster, folder: Path) -> None:
    cluster.kill_head()
    cluster.kill_worker()
    with pytest.raises(SiteUnavailable):
        cluster.driver.observe()

    began = time.monotonic()
    cluster.start_head()
    # it knows nothing; nothing runs
    assert cluster.look().generation == 0
    cluster.tell(wish(5, engine(1, folder), engine(2, folder)))
    cluster.ready("plc_1", "plc_2")

    said(f"head lost without outside storage: all ready after {time.monotonic() - began:.1f} s")
    assert len(pids("bin/llama-server --model")) == 2
