"""How a cluster is reached, what its token opens, and what of its answers is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.fleet.drivers.contract import SiteUnavailable
from portal.fleet.drivers.kubernetes import client as http
from portal.fleet.drivers.kubernetes.driver import KubernetesDriver
from portal.fleet.drivers.kubernetes.watching import SiteWatch
from tests.contracts.sites import wish
from tests.fakes.kubernetes import Cluster
from tests.fakes.kubernetes.looking import seen, states
from tests.fakes.kubernetes.rights import shipped
from tests.fakes.kubernetes.server import TOKEN
from tests.fakes.kubernetes.store import Status, put
from tests.fakes.kubernetes.verdicts import manifests, spec

DEPLOYMENT = ("Deployment", "dure-org-1", "plc-1")
STATE = ("ConfigMap", "dure-system", "dure-state")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as found:
        yield found


@pytest.fixture
def driver(cluster: Cluster) -> KubernetesDriver:
    return KubernetesDriver(cluster.url, TOKEN)


def test_reads_every_page_and_begins_anew_when_the_cluster_forgot(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1), spec(2)))
    states(driver, cluster)
    cluster.page = 1
    cluster.gone = ["continue", "continue"]

    assert set(seen(driver)) == {"plc_1", "plc_2"}

    assert cluster.gone == []
    cluster.gone = ["continue"] * 3
    with pytest.raises(SiteUnavailable, match="forgets"):
        driver.observe()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'{"items": 5}',
        b'{"items": [], "metadata": []}',
        b"{}",
    ],
)
def test_believes_no_nonsense(driver: KubernetesDriver, cluster: Cluster, raw: bytes) -> None:
    cluster.raw = [raw] * 6

    with pytest.raises(SiteUnavailable):
        driver.observe()


@pytest.mark.parametrize(
    ("name", "value"),
    [("site", "daegu 1"), ("reach", "pigeon"), ("gateways", "everywhere"), ("cpus_per_card", "x")],
)
def test_names_the_setting_that_makes_no_sense(
    driver: KubernetesDriver, cluster: Cluster, name: str, value: str
) -> None:
    settings = ("ConfigMap", "dure-system", "dure-site")
    cluster.store.edit(settings, "kubectl", ("data", name), value)

    with pytest.raises(SiteUnavailable, match="dure-site makes no sense"):
        driver.observe()


def test_reads_no_answer_without_end(
    driver: KubernetesDriver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER", 1000)
    cluster.raw = [b'{"x": "' + b"y" * 2000 + b'"}']

    with pytest.raises(SiteUnavailable, match="too large"):
        driver.observe()


def test_waits_for_no_answer_that_dribbles_in_for_ever(cluster: Cluster) -> None:
    access = http.Access(TOKEN)

    with (
        http.Client(cluster.url, access, seconds=5) as client,
        client.stream("/api/v1/nodes", seconds=-1) as parts,  # its time is over already
        pytest.raises(SiteUnavailable, match="does not end"),
    ):
        list(parts)
    with (
        http.Client(cluster.url, access, seconds=-1) as late,
        pytest.raises(SiteUnavailable, match="too slow"),
    ):
        late.every("Node")


def test_will_not_guess_a_generation(driver: KubernetesDriver, cluster: Cluster) -> None:
    driver.apply(wish(1))
    cluster.store.edit(STATE, "kubectl", ("data", "state"), "{")

    with pytest.raises(SiteUnavailable, match="dure-state"):
        driver.apply(wish(2))


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda url: KubernetesDriver(url, "wrong").observe(), "401"),
        (lambda url: KubernetesDriver(url, '{"ca": "x"}').observe(), "cannot be read"),
        (lambda url: KubernetesDriver("http://10.0.0.1:6443", TOKEN).observe(), "https only"),
        (
            lambda url: KubernetesDriver("https://10.0.0.1", '{"token": "t", "ca": "x"}').observe(),
            "PEM",
        ),
        (
            lambda url: KubernetesDriver(url, TOKEN).apply(
                wish(1).__class__(site="busan-1", generation=1)
            ),
            "belongs to site daegu-1",
        ),
    ],
)
def test_says_what_is_wrong_with_how_it_is_reached(
    cluster: Cluster, use: Callable[[str], Any], words: str
) -> None:
    with pytest.raises(SiteUnavailable, match=words):
        use(cluster.url)


@pytest.mark.parametrize(
    ("path", "value", "status", "words"),
    [
        (("spec", "replica"), 1, 400, "strict decoding error"),
        (("spec", "replicas"), "one", 400, "strict decoding error"),
        (("metadata", "resourceVersion"), "1", 409, "modified"),
        (("spec", "selector", "matchLabels"), {"a": "b"}, 422, "immutable"),
    ],
)
def test_the_fake_is_as_strict_as_a_cluster(
    driver: KubernetesDriver,
    cluster: Cluster,
    path: tuple[str, ...],
    value: Any,
    status: int,
    words: str,
) -> None:
    driver.apply(wish(1, spec(1)))
    manifest = manifests(spec(1))[-3]
    put(manifest, path, value)

    with (
        http.Client(cluster.url, http.Access(TOKEN), seconds=5) as client,
        pytest.raises(http.Refused, match=words) as refused,
    ):
        client.apply(manifest, force=True)

    assert refused.value.status == status


def test_the_shipped_roles_are_all_that_is_needed_and_nothing_more(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    used: set[tuple[str, str, str]] = set()
    check = cluster.rights.check

    def noted(verb: str, group: str, resource: str, namespace: str, name: str) -> None:
        check(verb, group, resource, namespace, name)
        used.add((verb, group, resource))

    cluster.rights.check = noted  # type: ignore[method-assign]
    for generation in range(1, 4):  # an endpoint comes, is changed under a busy status, and goes
        wanted = [spec(1, parallel=generation)] if generation < 3 else []
        cluster.before = [lambda: None] * 6 + [
            lambda: (
                cluster.store.edit(DEPLOYMENT, "x", ("status", "n"), 1)
                if DEPLOYMENT in cluster.store.objects
                else None
            )
        ] * 8
        driver.apply(wish(generation, *wanted))
        states(driver, cluster)
        driver.logs("plc_1", 0)
    list(SiteWatch(cluster.url, TOKEN).changes())
    with_kept = [spec(1, id=f"plc_{n}", cards=0) for n in range(8, 10)]
    driver.apply(wish(4, *with_kept))

    allowed = {
        (verb, group, resource)
        for one in shipped()
        for rule in one.get("rules", ())
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert used <= allowed
    assert allowed - used <= {("delete", "", "configmaps")}  # when 100 logs are kept


@pytest.mark.parametrize(
    ("verb", "group", "resource", "namespace"),
    [
        ("get", "", "secrets", "dure-org-1"),
        ("list", "", "secrets", ""),
        ("patch", "", "secrets", "kube-system"),
        ("patch", "apps", "deployments", "kube-system"),
        ("get", "", "pods/log", "kube-system"),
        ("create", "", "pods/exec", "dure-org-1"),
        ("delete", "", "namespaces", ""),
        ("patch", "rbac.authorization.k8s.io", "clusterroles", ""),
    ],
)
def test_the_token_opens_nothing_else(
    driver: KubernetesDriver, cluster: Cluster, verb: str, group: str, resource: str, namespace: str
) -> None:
    driver.apply(wish(1, spec(1)))

    with pytest.raises(Status, match="forbidden"):
        cluster.rights.check(verb, group, resource, namespace, "x")
