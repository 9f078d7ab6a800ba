"""Names, labels and annotations of what belongs to Dure in a cluster. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from portal.fleet.drivers.contract import PlacementSpec
from portal.fleet.drivers.servers import CannotServe

MANAGER: Final = "dure"  # field manager of every server-side apply
HOME: Final = "dure-system"  # namespace of the site's settings and state
SITE: Final = "dure.kr/site"
ORGANIZATION: Final = "dure.kr/organization"
ENDPOINT: Final = "dure.kr/endpoint"
PLACEMENT: Final = "dure.kr/placement"
EPOCH: Final = "dure.kr/epoch"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
GENERATION: Final = "dure.kr/generation"
CONTENT: Final = "dure.kr/content"
CREDENTIAL: Final = "dure.kr/credential"
MODEL_DIGEST: Final = "dure.kr/model-digest"
SIMULATED: Final = "dure.kr/simulated"  # label of nodes whose cards are only pretended

Object = Mapping[str, Any]  # one object of the Kubernetes API, as JSON
PUBLIC_ID = re.compile(r"\A[a-z]{1,8}_[0-9a-z_]{0,38}[0-9a-z]\Z")
_LABEL = re.compile(r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")


def named(public_id: str, what: str) -> str:
    """A public id as a DNS label. ``CannotServe`` for what is no public id: two ids never give
    the same name, because the only character that changes is one that a DNS label has not."""
    if not PUBLIC_ID.match(public_id):
        raise CannotServe(f"{public_id[:40]!r} is not the public id of the {what}.")
    return public_id.replace("_", "-")


def namespace_of(organization: str) -> str:
    """The namespace of an organization's engines."""
    return f"dure-{named(organization, 'organization')}"


def labels_of(site: str, **more: str) -> dict[str, str]:
    """What everything of ours carries, and ``more``."""
    return {MANAGED_BY: MANAGER, SITE: label(site)} | more


def label(text: str) -> str:
    """``text`` if it may be the value of a label. ``CannotServe`` otherwise."""
    if not _LABEL.match(text):
        raise CannotServe(f"{text[:40]!r} cannot be a label.")
    return text


def labels_of_placement(site: str, spec: PlacementSpec) -> dict[str, str]:
    return labels_of(
        site,
        **{
            ORGANIZATION: label(spec.organization),
            ENDPOINT: label(spec.endpoint),
            PLACEMENT: label(spec.id),
            EPOCH: str(spec.epoch),
        },
    )


def selector(site: str) -> str:
    """Selects what is ours at this site."""
    return f"{MANAGED_BY}={MANAGER},{SITE}={site}"


def fingerprint(secret: str) -> str:
    """What may be shown of a credential so that its change is seen: it has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def content_of(manifest: Object) -> str:
    """A digest of what a manifest says."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:32]


def meta(thing: Object) -> Object:
    """An object's metadata; empty where it has none."""
    return _mapping(thing.get("metadata"))


def marks(thing: Object) -> Mapping[str, str]:
    return _mapping(meta(thing).get("annotations"))


def labels(thing: Object) -> Mapping[str, str]:
    return _mapping(meta(thing).get("labels"))


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def number(text: Any) -> int:
    """A whole number of at most 15 digits out of a label, annotation or quantity; else 0."""
    found = str(text)
    return int(found) if found.isascii() and found.isdigit() and len(found) <= 15 else 0


def covers(live: Any, wanted: Any) -> bool:
    """Whether a live object says all that is wanted. What the cluster filled in does not count."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and covers(live[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(covers(a, b) for a, b in zip(live, wanted, strict=True))
        )
    return bool(live == wanted)
