"""A customer's own model at a Kubernetes site: fetched and compared before the server starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from portal.fleet.drivers.contract import FetchSpec
from portal.fleet.drivers.kubernetes import tenancy
from portal.fleet.drivers.kubernetes.driver import KubernetesDriver
from portal.fleet.drivers.kubernetes.site import SiteSettings
from portal.fleet.drivers.kubernetes.workload import workload_of
from portal.fleet.drivers.servers import CannotServe
from tests.contracts.sites import wish
from tests.fakes.kubernetes import Cluster
from tests.fakes.kubernetes.looking import seen, states
from tests.fakes.kubernetes.server import TOKEN
from tests.fakes.kubernetes.verdicts import KINDS, SETTINGS, own, spec

DEPLOYMENT = ("Deployment", "dure-org-1", "plc-1")
NETWORK = ("NetworkPolicy", "dure-org-1", "plc-1")
MIB = 1_048_576


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as found:
        yield found


@pytest.fixture
def driver(cluster: Cluster) -> KubernetesDriver:
    return KubernetesDriver(cluster.url, TOKEN)


def pod_of(one: Any) -> dict[str, Any]:
    found: dict[str, Any] = workload_of(one, SETTINGS).deployment["spec"]["template"]["spec"]
    return found


def egress(one: Any, settings: SiteSettings = SETTINGS) -> Any:
    return workload_of(one, settings).network["spec"]["egress"]


def test_the_server_loads_what_was_fetched_and_cannot_write_there() -> None:
    pod = pod_of(own(1))

    (fetcher,), (engine,) = pod["initContainers"], pod["containers"]
    words = engine["command"]
    assert words[words.index("--model") + 1] == "/dure/model/weights/weights.gguf"
    (read,) = [one for one in engine["volumeMounts"] if one["name"] == "own-model"]
    assert (read["mountPath"], read["readOnly"]) == ("/dure/model", True)
    assert fetcher["volumeMounts"] == [{"name": "own-model", "mountPath": "/dure/model"}]
    assert "serve /dure/model/weights " in " ".join(
        pod_of(KINDS["own folder"])["containers"][0]["command"]
    )


def test_the_fetcher_may_do_nothing_but_write_into_the_volume() -> None:
    (fetcher,) = pod_of(own(1))["initContainers"]

    assert fetcher["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65_532,
        "runAsGroup": 65_532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "env" not in fetcher  # no credential reaches it
    # A limit of storage would hold for the whole pod: the engine's cache would end it.
    assert fetcher["resources"]["limits"] == {"memory": "512Mi"}


@pytest.mark.parametrize(
    ("size", "room"),
    [(1, "65Mi"), (98_362_432, "158Mi"), (960 * MIB, "1Gi"), (961 * MIB, "1025Mi")],
)
def test_the_volume_holds_the_manifests_bytes(size: int, room: str) -> None:
    pod = pod_of(own(1, fetch={"bytes": size}))

    (volume,) = [one for one in pod["volumes"] if one["name"] == "own-model"]
    asked = pod["initContainers"][0]["resources"]["requests"]
    assert (volume["emptyDir"], asked["ephemeral-storage"]) == ({"sizeLimit": room}, room)


def test_a_model_of_the_catalogue_mounts_nothing_of_it() -> None:
    pod = pod_of(spec(1))

    assert "initContainers" not in pod
    assert "own-model" not in repr(pod)
    assert egress(spec(1)) == []


def test_a_policy_opens_the_address_of_the_origin_and_for_a_name_what_the_site_lists() -> None:
    def opened(*cidrs: str, port: int) -> list[dict[str, Any]]:
        to = [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]
        return [{"to": to, "ports": [{"port": port, "protocol": "TCP"}]}]

    assert egress(own(1)) == opened("10.40.0.9/32", port=8443)
    six = own(1, fetch={"location": "https://[2001:db8::9]/a/manifest.json"})
    assert egress(six) == opened("2001:db8::9/128", port=443)
    assert egress(KINDS["own folder"]) == opened("203.0.113.0/24", "2001:db8::/32", port=443)
    assert egress(KINDS["own folder"], SiteSettings(site="daegu-1")) == []
    assert workload_of(own(1), SETTINGS).network["spec"]["podSelector"] == {
        "matchLabels": {"dure.kr/placement": "plc_1"}
    }
    # what holds for all of the organization's pods is as before
    assert tenancy.fences("org_1", [own(1)], SETTINGS) == tenancy.fences(
        "org_1", [spec(1)], SETTINGS
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"fetch": {"image": ""}},
        {"fetch": {"manifest": ""}},
        {"fetch": {"bytes": 0}},
        {"fetch": {"file": "../weights.gguf"}},
        {"fetch": {"file": "/etc/passwd"}},
        {"fetch": {"location": "--private"}},
        {"fetch": {"location": "file:///etc/passwd"}},
        {"fetch": {"location": "https://models.example.kr:99999/a/manifest.json"}},
        {"fetch": {"location": "https://models.example.kr/a/manifest.json?x=$(HOME)"}},
        {"model_digest": ""},
    ],
)
def test_refuses_what_cannot_be_fetched(changes: dict[str, Any]) -> None:
    with pytest.raises(CannotServe):
        workload_of(own(1, **changes), SETTINGS)


def test_an_engine_starts_when_its_weights_are_there(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    one = own(1)

    driver.apply(wish(1, one))

    assert states(driver, cluster) == {"plc_1": "ready"}
    assert seen(driver)["plc_1"].model_digest == one.model_digest
    assert driver.observe().generation == 1
    lines = [line.text for line in driver.logs("plc_1", 0).lines]
    assert lines[0] == "asks for the manifest"
    assert lines[-1] == "the engine answers"
    assert cluster.store.get(*NETWORK)["metadata"]["ownerReferences"]


def test_says_why_the_weights_were_not_fetched(driver: KubernetesDriver, cluster: Cluster) -> None:
    because = "The weights there have another digest than the wanted ones."
    cluster.life.unfetched["plc_1"] = because
    driver.apply(wish(1, own(1)))

    assert states(driver, cluster) == {"plc_1": "failed"}

    told = seen(driver)["plc_1"]
    assert (told.because, told.url, told.restarts > 0) == (because, None, True)
    assert because in [line.text for line in driver.logs("plc_1", 0).lines]
    cluster.life.unfetched.clear()
    assert states(driver, cluster, 14) == {"plc_1": "ready"}


def test_says_that_the_fetchers_image_is_not_to_be_had(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    one = own(1)
    assert one.fetch is not None
    cluster.life.absent.add(one.fetch.image)
    driver.apply(wish(1, one))

    assert states(driver, cluster) == {"plc_1": "failed"}
    assert "image of what fetches the weights" in seen(driver)["plc_1"].because


def test_another_model_replaces_the_pod_and_its_digest(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    """From the catalogue's to an own one, to another own one, and back."""
    other = own(
        1,
        model_digest="sha256:" + "d" * 64,
        fetch={"location": "https://10.40.0.10/b/manifest.json", "manifest": "sha256:" + "e" * 64},
    )
    pods = set()
    for generation, one in enumerate([spec(1), own(1), other, spec(1)], 1):
        driver.apply(wish(generation, one))

        assert states(driver, cluster, 10) == {"plc_1": "ready"}
        assert seen(driver)["plc_1"].model_digest == one.model_digest
        assert driver.observe().generation == generation
        (pod,) = cluster.store.of("Pod")
        pods.add(pod["metadata"]["uid"])
        told = [a for c in pod["spec"].get("initContainers", ()) for a in c["args"]]
        assert (one.model_digest in told) == (one.fetch is not None)
        if generation > 1:
            assert cluster.store.get(*NETWORK)["spec"]["egress"] == egress(one)
    assert len(pods) == 4


def test_puts_its_policy_right_and_leaves_none_behind(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, own(1), spec(2)))
    assert states(driver, cluster) == {"plc_1": "ready", "plc_2": "ready"}
    cluster.store.delete(NETWORK)
    cluster.tick(2)
    assert driver.observe().generation == 0
    driver.apply(wish(1, own(1), spec(2)))
    assert driver.observe().generation == 1
    assert cluster.store.get(*NETWORK)

    driver.apply(wish(2, spec(2)))
    assert states(driver, cluster) == {"plc_2": "ready"}

    assert [one["metadata"]["name"] for one in cluster.store.of("NetworkPolicy")] == ["dure"]
    assert driver.observe().generation == 2


def test_tells_what_is_there_already_no_second_time(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, own(1)))
    states(driver, cluster)
    cluster.bodies.clear()

    driver.apply(wish(2, own(1), spec(2, cards=0)))

    assert ("Deployment", "plc-1") not in [
        (one["kind"], one["metadata"]["name"]) for one in cluster.bodies
    ]


def test_a_site_that_knows_no_fetching_reads_the_wish_as_before() -> None:
    """What is new in the contract has a default: portal and site are not updated at once."""
    raw = msgspec.to_builtins(spec(1))
    raw.pop("fetch")

    assert msgspec.convert(raw, type(spec(1))) == spec(1)
    assert FetchSpec(location="x", manifest="y", bytes=1).private is False
