"""The objects of one placement: Deployment, Service, Secret, NetworkPolicy. Pure.

The Deployment owns the others, so that the cluster's own garbage collection removes them.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from portal.fleet.drivers import hardware
from portal.fleet.drivers.contract import PlacementSpec
from portal.fleet.drivers.hardware import CHIPS, devices_of
from portal.fleet.drivers.kubernetes import names, own_weights
from portal.fleet.drivers.kubernetes.site import SiteSettings
from portal.fleet.drivers.servers import CannotServe, Command, command

ENGINE = "engine"  # the container
VARIABLE = "DURE_CREDENTIAL"
STOP_SECONDS = 60  # streams of a stopping engine may end within it


class Workload(msgspec.Struct, frozen=True):
    """What is applied for one placement. ``network``: only where it fetches its weights, or has
    done so before."""

    spec: PlacementSpec
    namespace: str
    name: str
    deployment: dict[str, Any]
    service: dict[str, Any]
    secret: dict[str, Any]
    network: dict[str, Any]


def workload_of(spec: PlacementSpec, settings: SiteSettings) -> Workload:
    """``CannotServe`` if this placement cannot run on any cluster as it stands."""
    name = names.named(spec.id, "placement")
    namespace = names.namespace_of(spec.organization)
    if not spec.image:
        raise CannotServe("The offering has no container image for its server.")
    own_weights.check(spec)
    server = command(_loading(spec))
    place = {"name": name, "namespace": namespace}
    labels = names.labels_of_placement(settings.site, spec)
    made = Workload(
        spec,
        namespace,
        name,
        _deployment(spec, server, settings, place, labels),
        _service(spec, server, settings, place, labels),
        _secret(spec, place, labels),
        own_weights.network(spec, settings, place, labels),
    )
    # A field that is dropped from a manifest is seen by this digest, not by looking at the object.
    for manifest in (made.deployment, made.service, made.network):
        manifest["metadata"]["annotations"][names.CONTENT] = names.content_of(manifest)
    return made


def _loading(spec: PlacementSpec) -> PlacementSpec:
    """With the path in the pod, where it has fetched what is loaded."""
    if spec.fetch is None:
        return spec
    return msgspec.structs.replace(spec, artifact=own_weights.artifact_of(spec.fetch))


def resource_of(spec: PlacementSpec) -> str:
    """The extended resource of the placement's chip. ``CannotServe`` for an unknown chip."""
    if spec.resource:
        return spec.resource
    known = CHIPS.get(spec.chip)
    if known is None:
        raise CannotServe(f"No resource name is known for chip {spec.chip!r}: its row lacks it.")
    return known.resources[0]


def _deployment(
    spec: PlacementSpec,
    server: Command,
    settings: SiteSettings,
    place: dict[str, str],
    labels: dict[str, str],
) -> dict[str, Any]:
    """One replica. ``Recreate``: the old owner of the cards ends before the new one begins."""
    fetching = own_weights.seconds_of(spec.fetch) if spec.fetch else 0
    pod = {
        "metadata": {
            "labels": labels,
            "annotations": {
                names.CREDENTIAL: names.fingerprint(spec.credential),
                names.MODEL_DIGEST: spec.model_digest,
            },
        },
        "spec": _pod(spec, server, settings),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**place, "labels": labels, "annotations": {}},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": server.startup_seconds + 600 + fetching,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {names.PLACEMENT: spec.id}},
            "template": pod,
        },
    }


def _pod(spec: PlacementSpec, server: Command, settings: SiteSettings) -> dict[str, Any]:
    made: dict[str, Any] = {
        "automountServiceAccountToken": False,  # an engine has nothing to ask of the cluster
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "affinity": _affinity(spec),
        "containers": [_container(spec, server, settings)],
        "volumes": [
            {"name": "cache", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
        ],
    }
    if spec.fetch is not None:
        made["initContainers"] = [own_weights.container(spec, spec.fetch)]
        made["containers"][0]["volumeMounts"].append(own_weights.mount())
        made["volumes"].append(own_weights.volume(spec.fetch))
    return made


def _affinity(spec: PlacementSpec) -> dict[str, Any]:
    """On a node with the chip; replicas of one endpoint rather on different nodes."""
    apart = {
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {names.ENDPOINT: spec.endpoint}},
        },
    }
    wanted: dict[str, Any] = {
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}
    }
    if spec.cards:
        known = CHIPS.get(spec.chip)
        choices = [(hardware.CHIP_LABEL, [names.label(spec.chip)])]
        if known is not None:
            choices.append((known.label, list(known.products)))
        terms = [
            {"matchExpressions": [{"key": key, "operator": "In", "values": values}]}
            for key, values in choices
        ]
        wanted["nodeAffinity"] = {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}
        }
    return wanted


def _container(spec: PlacementSpec, server: Command, settings: SiteSettings) -> dict[str, Any]:
    argv = [escaped(word) for word in server.argv]
    reference = {"secretKeyRef": {"name": names.named(spec.id, "placement"), "key": "credential"}}
    variable = server.credential_env or VARIABLE
    if server.credential_at is not None:
        argv[server.credential_at] = f"$({VARIABLE})"  # the kubelet puts it in
    env: list[dict[str, Any]] = [{"name": variable, "valueFrom": reference}]
    plain = {**server.env, "HF_HOME": "/cache/huggingface"}
    env += [{"name": key, "value": value} for key, value in sorted(plain.items())]
    return {
        "name": ENGINE,
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        "command": argv,
        "env": env,
        "ports": [{"name": "http", "containerPort": server.port, "protocol": "TCP"}],
        **_probes(server),
        "resources": _resources(spec, settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "cache", "mountPath": "/cache"},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 the engine's own, in memory
        ],
    }


def escaped(word: str) -> str:
    """A name like ``$(DURE_CREDENTIAL)`` in a catalogue must not be replaced by the secret."""
    return word.replace("$", "$$")


def _probes(server: Command) -> dict[str, Any]:
    """Loading may take long and is a probe of its own; afterwards two misses end the traffic, and
    a minute of silence ends the process."""
    ask = {"httpGet": {"path": server.health, "port": "http", "scheme": "HTTP"}}
    tries = -(-server.startup_seconds // 5)
    return {
        "startupProbe": {**ask, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": tries},
        "readinessProbe": {**ask, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**ask, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 6},
    }


def _resources(spec: PlacementSpec, settings: SiteSettings) -> dict[str, Any]:
    """A whole share of the host for each card; a small one for an engine without a card."""
    cards = spec.cards
    cpus = settings.cpus_per_card * cards or 1
    memory = f"{settings.memory_gib_per_card * cards or 4}Gi"
    devices = {resource_of(spec): str(devices_of(spec.chip, cards))} if cards else {}
    return {
        "requests": {"cpu": str(cpus), "memory": memory, **devices},
        "limits": {"memory": memory, **devices},
    }


def _service(
    spec: PlacementSpec,
    server: Command,
    settings: SiteSettings,
    place: dict[str, str],
    labels: dict[str, str],
) -> dict[str, Any]:
    """``Local``: the gateway calls the node that has the engine, and is seen by its own address."""
    outside = settings.reach == "node_port"
    port = {"name": "http", "port": server.port, "targetPort": "http", "protocol": "TCP"}
    reach = {"type": "NodePort", "externalTrafficPolicy": "Local"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**place, "labels": labels, "annotations": {}},
        "spec": {
            **(reach if outside else {"type": "ClusterIP"}),
            "selector": {names.PLACEMENT: spec.id, names.EPOCH: str(spec.epoch)},
            "ports": [port],
        },
    }


def _secret(spec: PlacementSpec, place: dict[str, str], labels: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**place, "labels": labels},
        "type": "Opaque",
        "data": {"credential": base64.b64encode(spec.credential.encode()).decode()},
    }


def owned(manifest: dict[str, Any], deployment: names.Object) -> dict[str, Any]:
    """The manifest with the live Deployment as its owner: it goes when that goes."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
        "uid": deployment["metadata"]["uid"],
    }
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [owner]}}
