"""A customer's own model in a pod: the volume, the container that fetches it, the network that this
needs. Pure.

The fetcher (``portal.mdc.fetcher``, in an image that the operator names) ends before the vendor's
server begins, and compares every file with its digest; the server sees the files and cannot write.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final
from urllib.parse import urlsplit

from portal.fleet.drivers.contract import FetchSpec, PlacementSpec
from portal.fleet.drivers.kubernetes import names
from portal.fleet.drivers.kubernetes.site import SiteSettings
from portal.fleet.drivers.servers import CannotServe

FETCHER: Final = "fetcher"  # the container
VOLUME: Final = "own-model"
MOUNT: Final = "/dure/model"
FOLDER: Final = f"{MOUNT}/weights"  # made whole, within the volume
NOBODY: Final = 65_532
MEBIBYTE: Final = 1_048_576
MORE_MEBIBYTES: Final = 64  # manifest, and what a file system needs for 2,000 files
LEAST_SECONDS: Final = 600
BYTES_A_SECOND: Final = 10 * MEBIBYTE  # slower is given up
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOCATION = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)+")
_FILE = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)*)?")


def artifact_of(fetch: FetchSpec) -> str:
    """What the server loads: the one file, or the folder."""
    return f"{FOLDER}/{fetch.file}" if fetch.file else FOLDER


def check(spec: PlacementSpec) -> None:
    """``CannotServe`` for what no fetcher can be told."""
    fetch = spec.fetch
    if fetch is None:
        return
    if not fetch.image:
        raise CannotServe("The operator has named no image that fetches own models.")
    digests = (fetch.manifest, spec.model_digest)
    if (
        not all(map(_DIGEST.fullmatch, digests))
        or not _is_location(fetch.location)
        or not _FILE.fullmatch(fetch.file)
        or fetch.bytes < 1
    ):
        raise CannotServe("The own model has no address, digest or size that can be fetched.")


def _is_location(text: str) -> bool:
    try:
        return bool(_LOCATION.fullmatch(text)) and urlsplit(text).port != 0
    except ValueError:  # no port has this number
        return False


def seconds_of(fetch: FetchSpec) -> int:
    """After so long the fetcher gives up."""
    return LEAST_SECONDS + fetch.bytes // BYTES_A_SECOND


def container(spec: PlacementSpec, fetch: FetchSpec) -> dict[str, Any]:
    """The init container. No limit of ephemeral storage: it would hold for the whole pod, the
    engine's cache too; the volume has its own."""
    return {
        "name": FETCHER,
        "image": fetch.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "portal.mdc.fetcher"],
        "args": [
            *("--location", fetch.location, "--manifest", fetch.manifest),
            *("--weights", spec.model_digest, "--folder", FOLDER),
            *("--seconds", str(seconds_of(fetch))),
            *(("--private",) if fetch.private else ()),
        ],
        "resources": {
            "requests": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": _room(fetch)},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        # Its last line says why it ended; so it is read without the log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": VOLUME, "mountPath": MOUNT}],
    }


def volume(fetch: FetchSpec) -> dict[str, Any]:
    return {"name": VOLUME, "emptyDir": {"sizeLimit": _room(fetch)}}


def mount() -> dict[str, Any]:
    """In the server's container."""
    return {"name": VOLUME, "mountPath": MOUNT, "readOnly": True}


def _room(fetch: FetchSpec) -> str:
    """For all files, written as an API server writes it back: what is there is compared with it."""
    count, units = -(-fetch.bytes // MEBIBYTE) + MORE_MEBIBYTES, ["Mi", "Gi", "Ti"]
    while count % 1024 == 0 and len(units) > 1:
        count //= 1024
        units.pop(0)
    return f"{count}{units[0]}"


def network(
    spec: PlacementSpec, settings: SiteSettings, place: dict[str, str], labels: dict[str, str]
) -> dict[str, Any]:
    """What this placement's pod may call besides what all of its organization may: its origin, as
    far as a policy can say it. A policy knows addresses and no names: one that is written down as
    digits is opened by itself, for a name the networks that the site's operator lists."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {**place, "labels": labels, "annotations": {}},
        "spec": {
            "podSelector": {"matchLabels": {names.PLACEMENT: spec.id}},
            "policyTypes": ["Egress"],
            "egress": _egress(spec.fetch, settings) if spec.fetch else [],
        },
    }


def _egress(fetch: FetchSpec, settings: SiteSettings) -> list[dict[str, Any]]:
    parts = urlsplit(fetch.location)
    try:
        networks = [str(ipaddress.ip_network(parts.hostname or ""))]
    except ValueError:  # a name
        networks = list(settings.origins)
    if not networks:
        return []
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in networks]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return [{"to": blocks, "ports": [{"port": port, "protocol": "TCP"}]}]
