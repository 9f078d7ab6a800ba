"""A head that keeps its state in a Valkey server outside: what it knew, it knows again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import valkey
from portal.fleet.drivers.contract import SiteUnavailable
from tests.contracts.sites import wish
from tests.ray.cluster import WORKER, Cluster, engine, load, said, until


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    store = subprocess.Popen(
        [valkey.binary(), "--port", "7777", "--bind", "127.0.0.1", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    made = Cluster(tmp_path, redis="127.0.0.1:7777")
    yield made
    made.kill_worker()
    made.kill_head()
    store.kill()
    store.wait(10)


def test_a_worker_node_serves_while_the_head_is_away(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start_head(cards=0)
    cluster.start_worker()
    cluster.driver.apply(wish(3, engine(1, tmp_path)))
    url = cluster.ready("plc_1")["plc_1"].url or ""
    assert WORKER in url

    with load(url, 1) as tally:
        until(lambda: tally.whole > 3, "load")
        cluster.kill_head()
        with pytest.raises(SiteUnavailable):
            cluster.driver.observe()
        done, began = tally.whole, time.monotonic()
        until(lambda: tally.whole > done + 20, "answers without a head")
        said(f"{tally.whole - done} answers in {time.monotonic() - began:.1f} s without a head")
        began = time.monotonic()
        cluster.start_head(cards=0)
        until(lambda: cluster.driver.observe().generation == 3, "the register is back")
        cluster.ready("plc_1")
        said(f"head back with what it knew after {time.monotonic() - began:.1f} s; {tally}")

    assert (tally.refused, tally.cut) == (0, 0)
