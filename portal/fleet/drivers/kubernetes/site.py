"""What a site's cluster keeps about itself: its settings, and how far our wishes came. Pure.

Two ConfigMaps in ``dure-system``. Whoever runs the cluster writes ``dure-site``; only the driver
writes ``dure-state``, always with the resource version that it read, so that of two workers with
different wishes one loses.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from portal.fleet.drivers.contract import SiteSpec, SiteUnavailable, WishRefused
from portal.fleet.drivers.kubernetes.names import (
    CONTENT,
    GENERATION,
    Object,
    label,
    marks,
    meta,
    number,
)

SETTINGS: Final = "dure-site"
STATE: Final = "dure-state"
KEPT_EPOCHS: Final = 5_000
NETWORKS: Final = ("gateways", "egress", "origins")  # lists of CIDRs


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster's operator decided. ``reach``: how gateways get to an engine."""

    site: str
    reach: Literal["node_port", "cluster"] = "node_port"
    gateways: tuple[str, ...] = ()  # CIDRs from which engines may be called; empty: in the cluster
    egress: tuple[str, ...] = ()  # CIDRs that engines may call, for weights; empty: none
    origins: tuple[str, ...] = ()  # CIDRs that pods with an own model may call besides, for it
    cpus_per_card: int = 4
    memory_gib_per_card: int = 32


def read_settings(found: Object | None) -> SiteSettings:
    """``SiteUnavailable`` with what to mend if the operator's ConfigMap is missing or odd."""
    raw = (found or {}).get("data")
    if not isinstance(raw, dict) or not raw.get("site"):
        raise SiteUnavailable(
            "The cluster has no ConfigMap dure-system/dure-site with the site's code: "
            "apply deploy/kubernetes/site.yaml first."
        )
    fields = {name: _listed(raw[name]) for name in NETWORKS if name in raw}
    try:
        given = msgspec.convert({**raw, **fields}, SiteSettings, strict=False)
        label(given.site)
        for network in (*given.gateways, *given.egress, *given.origins):
            ipaddress.ip_network(network)
    except ValueError as error:  # CannotServe and msgspec's own are among them
        raise SiteUnavailable(f"ConfigMap dure-system/dure-site makes no sense: {error}") from error
    return given


def _listed(text: object) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(text).split(",") if part.strip())


class Refusal(msgspec.Struct, frozen=True):
    """Why a placement could not be told to the cluster. ``final``: asking again is no use."""

    epoch: int
    because: str
    final: bool


class SiteState(msgspec.Struct, frozen=True, kw_only=True):
    """``generation`` is claimed before anything is changed; ``done`` is what was told whole."""

    site: str = ""
    generation: int = 0
    digest: str = ""
    done: int = 0
    inventory: str = ""  # of the objects that were there when it was done
    epochs: dict[str, int] = {}  # the latest first to be forgotten last
    cards: dict[str, tuple[str, ...]] = {}  # placement → cards that it had when last told
    refused: dict[str, Refusal] = {}

    def claim(self, wanted: SiteSpec) -> SiteState:
        """The state with this wish in it. ``WishRefused`` if it is older than what is there."""
        digest = hashlib.sha256(msgspec.json.encode(wanted)).hexdigest()
        if wanted.generation < self.generation:
            raise WishRefused(f"The site has generation {self.generation}.")
        if wanted.generation == self.generation and self.digest not in {"", digest}:
            raise WishRefused("The site has another wish of this generation.")
        for one in wanted.placements:
            if one.epoch < self.epochs.get(one.id, 0):
                raise WishRefused(f"{one.id} has epoch {self.epochs[one.id]} here.")
        new = {one.id: one.epoch for one in wanted.placements}
        kept = {name: epoch for name, epoch in self.epochs.items() if name not in new} | new
        epochs = dict(list(kept.items())[-KEPT_EPOCHS:])
        return msgspec.structs.replace(
            self, site=wanted.site, generation=wanted.generation, digest=digest, epochs=epochs
        )


def read_state(found: Object | None) -> SiteState:
    """``SiteUnavailable`` if somebody else wrote into it: we never guess a generation."""
    if found is None:
        return SiteState()
    try:
        return msgspec.json.decode(found["data"]["state"], type=SiteState)
    except (KeyError, TypeError, msgspec.MsgspecError) as error:
        raise SiteUnavailable(
            f"ConfigMap dure-system/dure-state is not what was written there: {error}"
        ) from error


def inventory_of(objects: Iterable[Object]) -> str:
    """A digest of which objects of ours exist, and of what they say by their annotation."""
    lines = sorted(
        f"{one.get('kind')} {meta(one).get('namespace')}/{meta(one).get('name')} "
        f"{marks(one).get(CONTENT)} {_spec(one).get('replicas')}"
        for one in objects
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _spec(one: Object) -> Mapping[str, object]:
    found = one.get("spec")
    return found if isinstance(found, dict) else {}


def generation_of(thing: Object) -> int:
    """In which generation an object was last written; 0 if it does not say."""
    return number(marks(thing).get(GENERATION, 0))
