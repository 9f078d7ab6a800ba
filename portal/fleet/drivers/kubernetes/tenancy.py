"""What keeps organizations apart in a cluster: namespace, rights, quota, network. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from portal.fleet.drivers.contract import PlacementSpec
from portal.fleet.drivers.hardware import devices_of
from portal.fleet.drivers.kubernetes import names
from portal.fleet.drivers.kubernetes.cards import extended_requests
from portal.fleet.drivers.kubernetes.site import SiteSettings
from portal.fleet.drivers.kubernetes.workload import resource_of
from portal.fleet.drivers.servers import PORT

WORKLOADS: Final = "dure-workloads"  # ClusterRole that the driver binds in each namespace
ACCOUNT: Final = "dure-site"
DNS: Final = 53


def fences(
    organization: str,
    placements: Iterable[PlacementSpec],
    settings: SiteSettings,
    ending: Iterable[names.Object] = (),
) -> list[dict[str, Any]]:
    """An organization's namespace and what stands around it, in the order of applying.

    Without placements: the same, with a quota of nothing. A namespace is never deleted.
    ``ending``: pods that are there and no longer wanted.
    """
    namespace = names.namespace_of(organization)
    labels = names.labels_of(settings.site, **{names.ORGANIZATION: names.label(organization)})
    return [
        _dated(manifest)
        for manifest in (
            _namespace(namespace, labels),
            _binding(namespace, labels),
            _quota(namespace, labels, list(placements), list(ending)),
            _network(namespace, labels, settings),
        )
    ]


def _dated(manifest: dict[str, Any]) -> dict[str, Any]:
    """With a digest of what it says: a field that is dropped from it is seen by that."""
    content = {names.CONTENT: names.content_of(manifest)}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": content}}


def _namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """The cluster itself refuses privileged pods in it."""
    guard = {f"pod-security.kubernetes.io/{how}": "baseline" for how in ("enforce", "warn")}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels | guard},
    }


def _binding(namespace: str, labels: dict[str, str]) -> dict[str, Any]:
    """The driver may write in this namespace, and in no other that it has not made."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": WORKLOADS, "namespace": namespace, "labels": labels},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": WORKLOADS,
        },
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": names.HOME}],
    }


def _quota(
    namespace: str,
    labels: dict[str, str],
    placements: list[PlacementSpec],
    ending: list[names.Object],
) -> dict[str, Any]:
    """Twice what is ordered: pods of a lost node count until the cluster has given them up, and
    their replacements must not wait for that. Neither must they wait for what is still ending."""
    devices: Counter[str] = Counter()
    for spec in placements:
        if spec.cards:
            devices[resource_of(spec)] += 2 * devices_of(spec.chip, spec.cards)
    for pod in ending:
        devices.update(extended_requests(pod))
    hard = {f"requests.{name}": str(count) for name, count in sorted(devices.items())}
    hard |= {
        "pods": str(2 * len(placements) + len(ending)),
        "services.loadbalancers": "0",
        "persistentvolumeclaims": "0",
    }
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "dure", "namespace": namespace, "labels": labels},
        "spec": {"hard": hard},
    }


def _network(namespace: str, labels: dict[str, str], settings: SiteSettings) -> dict[str, Any]:
    """Only gateways reach the engines' port: vendors' servers ask for no credential on
    ``/metrics`` or ``/rerank``. Engines reach names, and what the site allows, and nothing else.
    """
    callers: list[dict[str, Any]] = [{"ipBlock": {"cidr": cidr}} for cidr in settings.gateways]
    if not callers:
        home = {"kubernetes.io/metadata.name": names.HOME}
        callers = [{"namespaceSelector": {"matchLabels": home}}]
    ports = [{"port": PORT, "protocol": "TCP"}]
    dns = [{"port": DNS, "protocol": kind} for kind in ("UDP", "TCP")]
    egress: list[dict[str, Any]] = [{"ports": dns}]
    if settings.egress:
        egress.append({"to": [{"ipBlock": {"cidr": cidr}} for cidr in settings.egress]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "dure", "namespace": namespace, "labels": labels},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": callers, "ports": ports}],
            "egress": egress,
        },
    }


def disruption_budget(site: str, spec: PlacementSpec) -> dict[str, Any]:
    """Maintenance takes away one replica of an endpoint at a time; a broken one holds it up not."""
    labels = names.labels_of(
        site,
        **{
            names.ORGANIZATION: names.label(spec.organization),
            names.ENDPOINT: names.label(spec.endpoint),
        },
    )
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": names.named(spec.endpoint, "endpoint"),
            "namespace": names.namespace_of(spec.organization),
            "labels": labels,
        },
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {names.ENDPOINT: spec.endpoint}},
        },
    }
    return _dated(budget)
