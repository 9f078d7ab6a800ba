"""The watch goes on where it stopped, and lists again when the cluster forgot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.fleet.drivers.contract import SiteUnavailable
from portal.fleet.drivers.kubernetes import watching
from portal.fleet.drivers.kubernetes.driver import KubernetesDriver
from portal.fleet.drivers.kubernetes.watching import SiteWatch, follow
from tests.contracts.sites import spec, wish
from tests.fakes.kubernetes import Cluster
from tests.fakes.kubernetes.server import TOKEN


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as found:
        KubernetesDriver(found.url, TOKEN).apply(wish(1, spec(1)))
        found.tick(6)
        found.paused = True
        yield found


def lists(cluster: Cluster) -> int:
    return sum((one.verb, one.plural) == ("list", "pods") for one in cluster.asked)


def test_hears_each_change_once_and_lists_once(cluster: Cluster) -> None:
    watch = SiteWatch(cluster.url, TOKEN)
    before = lists(cluster)

    assert list(watch.changes()) == [""]  # the list: anything may have changed
    assert list(watch.changes()) == []
    pod = cluster.store.of("Pod")[0]
    cluster.store.note("MODIFIED", pod)
    cluster.store.note("MODIFIED", cluster.store.of("Node")[0])
    assert list(watch.changes()) == ["plc_1"]
    assert list(watch.changes()) == []

    assert lists(cluster) == before + 1


@pytest.mark.parametrize("how", ["watch", "event"])
def test_lists_again_when_its_version_is_gone(cluster: Cluster, how: str) -> None:
    watch = SiteWatch(cluster.url, TOKEN)
    list(watch.changes())
    before = lists(cluster)
    cluster.gone = [how]

    assert list(watch.changes()) == []
    assert list(watch.changes()) == [""]

    assert lists(cluster) == before + 1


@pytest.mark.parametrize(
    "line", [b"{", b"[]\n", b'{"type": "ADDED"}\n', b'{"type": "ERROR", "object": {"code": 500}}\n']
)
def test_believes_no_nonsense_and_goes_on_afterwards(cluster: Cluster, line: bytes) -> None:
    watch = SiteWatch(cluster.url, TOKEN)
    list(watch.changes())
    cluster.before = [lambda: None, lambda: cluster.raw.append(line)]

    if line == b"{":  # cut off in mid-line: not yet an event
        assert list(watch.changes()) == []
    else:
        with pytest.raises(SiteUnavailable):
            list(watch.changes())
    cluster.store.note("MODIFIED", cluster.store.of("Pod")[0])

    assert list(watch.changes()) == ["plc_1"]


def test_reads_no_event_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_EVENT", 10)

    with pytest.raises(SiteUnavailable, match="too large"):
        list(watching.events(iter([b"x" * 6, b"x" * 6])))


def test_follows_over_faults_and_asks_ever_less_often(cluster: Cluster) -> None:
    cluster.faults = [503, 503]
    nudged: list[str] = []
    waited: list[float] = []

    def stopped(seconds: float) -> bool:
        waited.append(seconds)
        return bool(nudged)

    follow(SiteWatch(cluster.url, TOKEN), nudge=nudged.append, stopped=stopped)

    assert nudged == [""]
    assert waited == [0.0, 1.0, 2.0, 0.0]
