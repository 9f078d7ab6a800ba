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
from tests.ray.cluster import WORKER, WORKER_PORT, Cluster, engine, load, said, until


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short: a socket's path has 107 bytes."""
    return tmp_path_factory.mktemp("s")


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    store = subprocess.Popen(
        [valkey.binary(), "--port", "7777", "--bind", "127.0.0.1", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    made = Cluster(folder, redis="127.0.0.1:7777")
    yield made
    made.kill_worker()
    made.kill_head()
    store.kill()
    store.wait(10)


def test_a_worker_node_serves_while_the_head_is_away(cluster: Cluster, folder: Path) -> None:
    cluster.start_head(cards=0)
    cluster.start_worker()
    cluster.tell(wish(3, engine(1, folder)))
    cluster.away_from_head(cluster.ready("plc_1"))
    url = f"http://{WORKER}:{WORKER_PORT}/plc_1"

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
        until(lambda: cluster.look().generation == 3, "the register is back")
        cluster.ready("plc_1")
        said(f"head back with what it knew after {time.monotonic() - began:.1f} s; {tally}")

    assert (tally.refused, tally.cut) == (0, 0)
