"""The Kubernetes driver against a strict, misbehaving API server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from portal.fleet.drivers.contract import SiteUnavailable, WishRefused
from portal.fleet.drivers.kubernetes.driver import KubernetesDriver
from tests.contracts.sites import wish
from tests.fakes.kubernetes import Cluster
from tests.fakes.kubernetes.looking import seen, states
from tests.fakes.kubernetes.server import TOKEN
from tests.fakes.kubernetes.store import key_of
from tests.fakes.kubernetes.verdicts import spec

DEPLOYMENT = ("Deployment", "dure-org-1", "plc-1")
STATE = ("ConfigMap", "dure-system", "dure-state")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as found:
        yield found


@pytest.fixture
def driver(cluster: Cluster) -> KubernetesDriver:
    return KubernetesDriver(cluster.url, TOKEN)


def pods(cluster: Cluster) -> list[str]:
    return [one["metadata"]["labels"]["dure.kr/epoch"] for one in cluster.store.of("Pod")]


def test_replaces_everything_of_an_organization_in_one_wish(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1), spec(2)))
    states(driver, cluster)

    driver.apply(wish(2, spec(3), spec(4)))

    assert states(driver, cluster) == {"plc_3": "ready", "plc_4": "ready"}
    assert driver.observe().generation == 2
    left = {one["metadata"]["name"] for one in cluster.store.of("Secret", "dure-org-1")}
    assert left == {"plc-3", "plc-4"}  # the cluster collected what the old ones owned


def test_tells_a_repeated_wish_without_writing_to_what_is_there(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1)))
    states(driver, cluster)
    cluster.bodies.clear()

    driver.apply(wish(2, spec(1), spec(2, cards=0)))

    written = [(one["kind"], one["metadata"]["name"]) for one in cluster.bodies]
    fences = [("ResourceQuota", "dure")]
    new = [("Deployment", "plc-2"), ("Secret", "plc-2"), ("Service", "plc-2")]
    state = [("ConfigMap", "dure-state")]
    assert written == [*state, *fences, *new, *state]


def test_a_new_epoch_begins_when_the_old_one_has_ended(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1)))
    states(driver, cluster)
    cluster.life.stuck = True
    driver.apply(wish(2, spec(1, epoch=2)))
    cluster.tick(5)

    waiting = seen(driver)["plc_1"]
    assert (pods(cluster), waiting.state, waiting.epoch, waiting.url) == (
        ["1"],
        "starting",
        2,
        None,
    )
    cluster.life.stuck = False
    assert states(driver, cluster) == {"plc_1": "ready"}
    assert pods(cluster) == ["2"]


def test_loses_to_a_worker_that_wrote_in_between(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1)))

    def other() -> None:
        text = cluster.store.get(*STATE)["data"]["state"]
        newer = json.loads(text) | {"generation": 3, "digest": "other"}
        cluster.store.edit(STATE, "dure", ("data", "state"), json.dumps(newer))

    # settings, state, five lists; then the state is written
    cluster.before = [lambda: None] * 7 + [other]

    with pytest.raises(WishRefused):
        driver.apply(wish(2))

    assert cluster.store.get(*DEPLOYMENT)


def test_a_late_worker_never_writes_over_a_newer_generation(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1)))

    def newer() -> None:
        notes = ("metadata", "annotations", "dure.kr/generation")
        cluster.store.edit(DEPLOYMENT, "dure", notes, "9")

    cluster.before = [lambda: None] * 8 + [newer]

    with pytest.raises(WishRefused):
        driver.apply(wish(2, spec(1, parallel=8)))

    words = cluster.store.get(*DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]["command"]
    assert words[words.index("--max-concurrency") + 1] == "4"


def test_writes_again_when_only_the_status_changed_in_between(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1)))
    states(driver, cluster)

    def touched() -> None:
        cluster.store.edit(DEPLOYMENT, "kubelet", ("status", "readyReplicas"), 1)

    cluster.before = [lambda: None] * 6 + [touched] * 30

    with pytest.raises(SiteUnavailable, match="faster"):
        driver.apply(wish(2, spec(1, parallel=8)))
    cluster.before = [lambda: None] * 6 + [touched] * 9
    driver.apply(wish(2, spec(1, parallel=8)))

    assert states(driver, cluster) == {"plc_1": "ready"}


@pytest.mark.parametrize("what", ["Deployment", "Service", "Secret", "NetworkPolicy", "scaled"])
def test_puts_right_what_somebody_else_changed(
    driver: KubernetesDriver, cluster: Cluster, what: str
) -> None:
    driver.apply(wish(1, spec(1)))
    assert states(driver, cluster) == {"plc_1": "ready"}

    if what == "scaled":
        cluster.store.edit(DEPLOYMENT, "kubectl", ("spec", "replicas"), 0)
    else:
        name = "dure" if what == "NetworkPolicy" else "plc-1"
        cluster.store.delete((what, "dure-org-1", name))
    if what == "Secret":  # a running engine does not mind; the next one does
        cluster.store.delete(key_of(cluster.store.of("Pod")[0]))
    cluster.tick(4)

    assert driver.observe().generation == 0  # so the worker tells it again
    runs = seen(driver).get("plc_1")
    assert what == "NetworkPolicy" or runs is None or runs.state != "ready"
    driver.apply(wish(1, spec(1)))
    assert states(driver, cluster) == {"plc_1": "ready"}
    assert driver.observe().generation == 1
    assert cluster.store.get("NetworkPolicy", "dure-org-1", "dure")


def test_takes_no_namespace_that_it_has_not_made(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dure-org-2"}}
    cluster.store.create(theirs)

    driver.apply(wish(1, spec(1), spec(2, organization="org_2")))

    assert states(driver, cluster) == {"plc_1": "ready", "plc_2": "failed"}
    assert "not Dure's" in seen(driver)["plc_2"].because
    assert cluster.store.get("Namespace", "", "dure-org-2")["metadata"].get("labels") is None


def test_overwrites_no_object_of_another_manager(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(2)))
    mine = dict(cluster.store.get("Service", "dure-org-1", "plc-2"))
    mine["metadata"] = {"name": "plc-1", "namespace": "dure-org-1", "labels": {}}
    mine["spec"] = {"selector": {"app": "theirs"}, "type": "ClusterIP", "ports": []}
    cluster.store.apply(mine, "helm", force=False)

    driver.apply(wish(2, spec(1), spec(2)))

    told = seen(driver)["plc_1"]
    assert (told.state, 'conflict with "helm"' in told.because) == ("failed", True)
    assert driver.observe().generation < 2  # told again until it is settled
    assert cluster.store.get("Service", "dure-org-1", "plc-1")["spec"]["selector"] == {
        "app": "theirs"
    }


def test_says_that_a_quota_of_the_cluster_is_used_up(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1))
    space = {"name": "dure-org-1", "labels": {}}
    cluster.store.create({"kind": "Namespace", "metadata": space})
    place = {"name": "theirs", "namespace": "dure-org-1"}
    hard = {"hard": {"requests.furiosa.ai/rngd": "0"}}
    cluster.store.create({"kind": "ResourceQuota", "metadata": place, "spec": hard})
    cluster.store.get("Namespace", "", "dure-org-1")["metadata"]["labels"] = {
        "app.kubernetes.io/managed-by": "dure",
        "dure.kr/site": "daegu-1",
        "dure.kr/organization": "org_1",
    }

    driver.apply(wish(2, spec(1)))

    assert states(driver, cluster) == {"plc_1": "failed"}
    assert "exceeded quota" in seen(driver)["plc_1"].because


@pytest.mark.parametrize("at", [7, 16, 21, 28])  # state, fences, prune, last writes
def test_a_wish_that_broke_off_is_told_whole_the_next_time(
    driver: KubernetesDriver, cluster: Cluster, at: int
) -> None:
    driver.apply(wish(1, spec(1), spec(2)))
    states(driver, cluster)
    cluster.before = [lambda: None] * at + [lambda: cluster.faults.append(503)]
    second = wish(2, spec(2), spec(3), spec(4, cards=0, organization="org_2"))

    with pytest.raises(SiteUnavailable, match="503"):
        driver.apply(second)
    assert driver.observe().generation < 2
    driver.apply(second)

    assert set(states(driver, cluster)) == {"plc_2", "plc_3", "plc_4"}
    assert set(states(driver, cluster).values()) == {"ready"}
    assert driver.observe().generation == 2


def test_one_impossible_placement_stops_no_other(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1), spec(2, sdk="abacus 1")))

    assert states(driver, cluster) == {"plc_1": "ready", "plc_2": "failed"}
    assert "No server is known" in seen(driver)["plc_2"].because
    assert driver.observe().generation == 1  # asking again would not help


def test_what_runs_is_not_ended_by_a_form_of_it_that_cannot_run(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1)))
    assert states(driver, cluster) == {"plc_1": "ready"}

    driver.apply(wish(2, spec(1, image="")))

    assert states(driver, cluster) == {"plc_1": "ready"}
    assert driver.observe().generation == 2


def test_tells_what_keeps_an_engine_from_its_start(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    cluster.life.absent.add("registry.example/none@sha256:0")
    cluster.life.crashing.add("plc_2")

    driver.apply(wish(1, spec(1, image="registry.example/none@sha256:0"), spec(2)))
    assert states(driver, cluster) == {"plc_1": "failed", "plc_2": "failed"}

    assert "image" in seen(driver)["plc_1"].because
    assert "again and again" in seen(driver)["plc_2"].because
    assert seen(driver)["plc_2"].restarts > 0


def test_an_engine_that_stops_answering_has_failed_until_it_answers_again(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    cluster.life.slow = True
    driver.apply(wish(1, spec(1)))
    assert states(driver, cluster) == {"plc_1": "starting"}
    cluster.life.slow = False
    assert states(driver, cluster) == {"plc_1": "ready"}

    cluster.life.mute.add("plc_1")
    assert states(driver, cluster) == {"plc_1": "failed"}
    assert seen(driver)["plc_1"].url is None

    cluster.life.mute.clear()
    assert states(driver, cluster) == {"plc_1": "ready"}


def test_a_card_that_is_given_back_is_no_lack_of_cards(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    driver.apply(wish(1, spec(1, cards=2)))
    states(driver, cluster)
    cluster.life.stuck = True

    driver.apply(wish(2, spec(2, cards=2)))
    assert states(driver, cluster) == {"plc_1": "stopping", "plc_2": "starting"}

    cluster.life.stuck = False
    assert states(driver, cluster) == {"plc_2": "ready"}


def test_logs_go_on_over_a_crash_and_never_show_the_credential(
    driver: KubernetesDriver, cluster: Cluster
) -> None:
    secret = "s" * 43
    cluster.life.crashing.add("plc_1")
    driver.apply(wish(1, spec(1, credential=secret, model="$(DURE_CREDENTIAL)")))
    states(driver, cluster)
    cluster.life.crashing.clear()
    states(driver, cluster, 12)

    page = driver.logs("plc_1", 0)

    texts = [line.text for line in page.lines]
    assert sum("arguments" in text for text in texts) == 2  # the life before, too
    assert texts[-1] == "the engine answers"
    numbers = [line.number for line in page.lines]
    assert numbers == sorted(set(numbers))
    assert all(line.at_ms > 0 for line in page.lines)
    assert secret not in " ".join(texts)
    assert "--served-model-name $(DURE_CREDENTIAL)" in texts[0]
    assert "--api-key …" in texts[0]
