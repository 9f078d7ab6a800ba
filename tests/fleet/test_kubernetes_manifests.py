"""What is sent to a cluster, held strictly against the schemas of a current release."""

from __future__ import annotations

from typing import Any

import pytest

from portal.fleet.drivers.kubernetes import cards, names, tenancy
from portal.fleet.drivers.kubernetes.site import SiteSettings
from portal.fleet.drivers.kubernetes.workload import Workload, workload_of
from portal.fleet.drivers.servers import CannotServe
from tests.fakes.kubernetes import schemas
from tests.fakes.kubernetes.rights import shipped
from tests.fakes.kubernetes.verdicts import KINDS, SETTINGS, manifests, spec


def container(made: Workload) -> dict[str, Any]:
    found: dict[str, Any] = made.deployment["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reach", ["node_port", "cluster"])
def test_every_manifest_passes_the_strict_schema(kind: str, reach: Any) -> None:
    settings = SiteSettings(site="daegu-1", reach=reach)

    for manifest in [*manifests(KINDS[kind]), *manifests(KINDS[kind], settings)]:
        assert schemas.faults(manifest) == []


def test_what_is_shipped_passes_the_strict_schema() -> None:
    assert [(one["kind"], schemas.faults(one)) for one in shipped() if schemas.faults(one)] == []


def test_the_schema_sees_a_field_that_does_not_exist() -> None:
    wrong = workload_of(KINDS["rngd"], SETTINGS).deployment
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}

    assert "livenesProbe" in schemas.faults(wrong)[0]


@pytest.mark.parametrize(
    ("kind", "resource", "devices"),
    [
        ("rngd", "furiosa.ai/rngd", "2"),
        ("atom-plus", "rebellions.ai/ATOM", "4"),
        ("atom-max", "rebellions.ai/ATOM", "4"),  # one card
        ("rebel100", "rebellions.ai/REBEL", "2"),
        ("generic", "vendor.example/npu", "1"),
    ],
)
def test_asks_for_the_chip_by_its_vendors_name(kind: str, resource: str, devices: str) -> None:
    made = workload_of(KINDS[kind], SETTINGS)

    asked = container(made)["resources"]
    assert asked["limits"][resource] == asked["requests"][resource] == devices
    hard = tenancy.fences("org_1", [KINDS[kind]], SETTINGS)[2]["spec"]["hard"]
    assert hard[f"requests.{resource}"] == str(2 * int(devices))
    assert hard["pods"] == "2"


def test_a_name_in_the_catalogue_cannot_call_for_the_credential() -> None:
    made = workload_of(spec(1, model="$(DURE_CREDENTIAL)", credential="secret"), SETTINGS)

    words = container(made)["command"]
    assert words[words.index("--served-model-name") + 1] == "$$(DURE_CREDENTIAL)"
    assert words[-2:] == ["--api-key", "$(DURE_CREDENTIAL)"]
    assert "secret'" not in repr(made.deployment)
    assert "c2VjcmV0" in repr(made.secret)  # base64


def test_another_credential_or_digest_starts_the_engine_anew() -> None:
    first = workload_of(spec(1), SETTINGS).deployment["spec"]["template"]

    for changes in ({"credential": "another"}, {"model_digest": "sha256:b"}, {"epoch": 2}):
        assert workload_of(spec(1, **changes), SETTINGS).deployment["spec"]["template"] != first


def test_engines_are_reached_by_gateways_only_and_reach_what_the_site_allows() -> None:
    policy = tenancy.fences("org_1", [], SETTINGS)[3]["spec"]

    assert policy["podSelector"] == {}
    callers = [{"ipBlock": {"cidr": "10.20.0.0/24"}}]
    assert policy["ingress"] == [{"from": callers, "ports": [{"port": 8000, "protocol": "TCP"}]}]
    assert [rule.get("to") for rule in policy["egress"]] == [
        None,  # names
        [{"ipBlock": {"cidr": "10.30.0.0/16"}}],
    ]
    closed = tenancy.fences("org_1", [], SiteSettings(site="daegu-1"))[3]["spec"]
    assert len(closed["egress"]) == 1
    assert "namespaceSelector" in closed["ingress"][0]["from"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"organization": ""},
        {"organization": "kube-system"},
        {"organization": "ORG_1"},
        {"id": "plc_../x"},
        {"id": "plc_" + "a" * 60},
        {"endpoint": "Ep 1"},
        {"image": ""},
        {"chip": "abacus"},
    ],
)
def test_refuses_what_no_cluster_can_run(changes: dict[str, Any]) -> None:
    with pytest.raises(CannotServe):
        manifests(spec(1, **changes))


def node(product: str, label: str, resource: str, **changes: Any) -> dict[str, Any]:
    amounts = {resource: changes.pop("capacity", "4")}
    allocatable = {resource: changes.pop("allocatable", amounts[resource])}
    ready = {"type": "Ready", "status": changes.pop("ready", "True")}
    return {
        "metadata": {"name": "n1", "labels": {label: product} | changes.pop("labels", {})},
        "spec": changes,
        "status": {"capacity": amounts, "allocatable": allocatable, "conditions": [ready]},
    }


FURIOSA = ("rngd", "furiosa.ai/npu.product", "furiosa.ai/rngd")
RBLN = "rebellions.ai/npu.product"


@pytest.mark.parametrize(
    ("found", "chip", "states"),
    [
        (node(*FURIOSA), "rngd", "free free free free"),
        (node(*FURIOSA, allocatable="3"), "rngd", "free free free failed"),
        (node(*FURIOSA, ready="Unknown", capacity="2"), "rngd", "failed failed"),
        (node(*FURIOSA, unschedulable=True, capacity="1"), "rngd", "failed"),
        (node("RBLN-CA25", RBLN, "rebellions.ai/ATOM", capacity="8"), "atom-max", "free free"),
        (node("RBLN-CA22", RBLN, "rebellions.ai/npu", capacity="1"), "atom-plus", "free"),
        (node("RBLN-CR13", RBLN, "rebellions.ai/REBEL", capacity="1"), "rebel100", "free"),
        (
            node(
                "other-1",
                "dure.kr/chip",
                "vendor.example/npu",
                capacity="1",
                labels={"dure.kr/resource": "vendor.example_npu"},
            ),
            "other-1",
            "free",
        ),
        (node(*FURIOSA, capacity="-3"), "", ""),
        (node(*FURIOSA, capacity="two"), "", ""),
        (node(*FURIOSA, capacity="1", allocatable="99"), "rngd", "free"),
        (node("abacus", "furiosa.ai/npu.product", "furiosa.ai/rngd"), "", ""),
        ({"metadata": {"name": "n2"}}, "", ""),
    ],
)
def test_counts_cards_as_the_node_tells_them(found: Any, chip: str, states: str) -> None:
    seen = cards.reported(cards.on_nodes([found]), {})

    assert " ".join(card.state for card in seen) == states
    assert {card.chip for card in seen} <= {chip}


def test_believes_no_node_with_a_million_cards() -> None:
    assert len(cards.reported(cards.on_nodes([node(*FURIOSA, capacity="1000000")]), {})) == 64


def test_two_ids_never_give_one_name() -> None:
    assert names.named("plc_a_b", "placement") == "plc-a-b"
    with pytest.raises(CannotServe):
        names.named("plc_a-b", "placement")
