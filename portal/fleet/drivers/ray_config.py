"""A whole ``SiteSpec`` as one Serve config, and what of our own stands in a running one. Pure.

Ray Serve's REST API replaces the whole list of applications, so one list is made of the whole
spec: one application per placement, named by it, and one of our own (``SITE``). Its
``user_config`` is the *register*: what was accepted last, under which generation, and the epochs.
A register changes without any engine being started again.

No credential goes into a config, because whoever may read the cluster's API can read it: engines
are told SHA-256 sums and compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from portal.fleet.drivers import servers
from portal.fleet.drivers.contract import PlacementSpec, SiteSpec
from portal.fleet.drivers.hardware import CHIP_LABEL, CHIPS, devices_of

SITE = "dure-site"  # application and route of the register and its agent
ENGINE = "engine"  # the one deployment of a placement's application
SITE_PATH = "portal.fleet.serving.app:site"
ENGINE_PATH = "portal.fleet.serving.app:engine"
OURS = (SITE_PATH, ENGINE_PATH)

HTTP_PORT = 8000
KEEP_ALIVE_SECONDS = 75  # longer than the gateway keeps an idle connection
DRAIN_SECONDS = 120.0  # answers that are running when a replica ends
HEALTH_SECONDS = 2.0
EPOCHS_KEPT = 2000
FULL = 0.7  # of an engine's slots, above which another engine is started
HOST_CPUS = 1.0  # of a node, for the host side of one server


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster has accepted."""

    site: str = ""
    generation: int = 0
    digest: str = ""  # of the accepted wish
    token_sha256: str = ""
    epochs: dict[str, int] = {}  # placement → epoch; the latest 2,000, ended ones too
    wanted: tuple[str, ...] = ()
    refused: dict[str, str] = {}  # wanted here, but no server can run it: why


class Older(Exception):
    """The cluster has accepted something newer than this wish."""


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def accepted(wanted: SiteSpec, have: Register, token: str) -> Register:
    """The register after this wish. ``Older`` if the cluster has a newer generation or epoch."""
    digest = hashlib.sha256(msgspec.json.encode(wanted)).hexdigest()
    if wanted.generation < have.generation:
        raise Older(f"older_generation: have {have.generation}, got {wanted.generation}")
    if wanted.generation == have.generation and have.digest not in ("", digest):
        raise Older("same_generation_differs")
    for one in wanted.placements:
        known = have.epochs.get(one.id, 0)
        if one.epoch < known:
            raise Older(f"older_epoch: have {known}, got {one.epoch}")
    new = {one.id: one.epoch for one in wanted.placements}
    ended = {name: epoch for name, epoch in have.epochs.items() if name not in new}
    kept = dict(list(ended.items())[-max(0, EPOCHS_KEPT - len(new)) :])
    return Register(
        site=wanted.site,
        generation=wanted.generation,
        digest=digest,
        token_sha256=sha256_of(token),
        epochs=kept | new,
        wanted=tuple(new),
        refused=_refused(wanted),
    )


def _refused(wanted: SiteSpec) -> dict[str, str]:
    found = {}
    for one in wanted.placements:
        try:
            servers.command(one)
            _resources(one)
        except servers.CannotServe as error:
            found[one.id] = str(error)
    return found


def serve_config(
    wanted: SiteSpec,
    register: Register,
    *,
    overlapping: frozenset[str] = frozenset(),
    http_options: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The body of ``PUT /api/serve/applications/``.

    ``overlapping`` are placements whose changed engine may run beside the old one until it is
    ready; for others the old one ends first. ``http_options`` are those of a running Serve, which
    cannot be changed.
    """
    return {
        "proxy_location": "EveryNode",
        "http_options": dict(http_options) if http_options else _http_options(),
        "applications": [
            _site(register),
            *(
                _application(one, overlaps=one.id in overlapping)
                for one in wanted.placements
                if one.id not in register.refused
            ),
        ],
    }


def _http_options() -> dict[str, object]:
    return {
        "host": "0.0.0.0",  # noqa: S104  Ray's own default; gateways come from other machines
        "port": HTTP_PORT,
        "keep_alive_timeout_s": KEEP_ALIVE_SECONDS,
    }


def _site(register: Register) -> dict[str, Any]:
    return {
        "name": SITE,
        "route_prefix": f"/{SITE}",
        "import_path": SITE_PATH,
        "deployments": [{"name": "site", "user_config": msgspec.to_builtins(register)}],
    }


def _application(spec: PlacementSpec, *, overlaps: bool) -> dict[str, Any]:
    return {
        "name": spec.id,
        "route_prefix": f"/{spec.id}",
        "import_path": ENGINE_PATH,
        "args": arguments_of(spec),
        "deployments": [_deployment(spec, overlaps=overlaps)],
    }


def arguments_of(spec: PlacementSpec) -> dict[str, Any]:
    """What an engine is told. A change of it is another engine; so the epoch is part of it."""
    start = servers.command(spec, host="127.0.0.1", port=1)
    argv = list(start.argv)
    argv[argv.index("--port") + 1] = "{port}"
    if start.credential_at is not None:
        argv[start.credential_at] = "{credential}"
    return {
        "placement": spec.id,
        "epoch": spec.epoch,
        "argv": argv,
        "env": dict(start.env),
        "credential_env": start.credential_env,
        "credential_sha256": sha256_of(spec.credential),
        "health": start.health,
        "metrics": start.metrics,
        "startup_seconds": start.startup_seconds,
        "artifact": spec.artifact,
        "model_digest": spec.model_digest,
    }


def _deployment(spec: PlacementSpec, *, overlaps: bool) -> dict[str, Any]:
    return {
        "name": ENGINE,
        **_scale(spec),
        # Gateways send as many as the engine answers at the same time; what comes above waits
        # here for a moment, and then is told that there is no room.
        "max_ongoing_requests": spec.parallel,
        "max_queued_requests": max(8, spec.parallel),
        "health_check_period_s": HEALTH_SECONDS,
        "health_check_timeout_s": HEALTH_SECONDS * 3,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": DRAIN_SECONDS,
        "max_surge_percent": 100 if overlaps else 0,
        "ray_actor_options": _resources(spec),
    }


def _scale(spec: PlacementSpec) -> dict[str, Any]:
    """One engine, or as many as there is work for: another one when most slots are taken."""
    if spec.most_replicas <= 1:
        return {"num_replicas": 1}
    return {
        "autoscaling_config": {
            "min_replicas": 1,
            "max_replicas": spec.most_replicas,
            "target_ongoing_requests": max(1.0, spec.parallel * FULL),
            "upscale_delay_s": 10,
            "downscale_delay_s": 300,
        }
    }


def _resources(spec: PlacementSpec) -> dict[str, Any]:
    """What Ray's scheduler is asked for. It names accelerators by vendor, so that the chip is
    chosen by a label of the node."""
    asked: dict[str, Any] = {"num_cpus": HOST_CPUS}
    if spec.cards:
        known = CHIPS.get(spec.chip)
        name = spec.resource or (known.ray if known else "")
        if not name:
            raise servers.CannotServe(f"No resource of a Ray cluster is known for {spec.chip!r}.")
        asked["resources"] = {name: devices_of(spec.chip, spec.cards)}
        asked["label_selector"] = {CHIP_LABEL: spec.chip}
    return asked
