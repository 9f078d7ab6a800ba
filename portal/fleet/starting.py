"""How an offering's engine is started at a kind of site, and what is missing for it.

An embedded site has its engines with it. A Ray cluster starts a vendor's server and must be told
what it loads; Kubernetes needs the server's image besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from portal.catalog import launch
from portal.catalog.models import Chip, Offering
from portal.fleet.drivers import servers
from portal.fleet.drivers.contract import EngineKind, FetchSpec, PlacementSpec, ServerSettings
from portal.fleet.drivers.hardware import CHIPS

Lack = Literal["no_image", "no_engine", "no_weights"]
EMBEDDED = "embedded"
NEEDS_IMAGE = frozenset({"kubernetes"})
NEEDS_SERVER = frozenset({"kubernetes", "ray_serve"})
# catalogue's word → the drivers' word; what is not here is no flag of a server
_WORDS: Mapping[str, str] = {
    "tensor_parallel": "tensor_parallel",
    "pipeline_parallel": "pipeline_parallel",
    "data_parallel": "data_parallel",
    "num_devices": "devices_per_rank",
    "block_size": "block_tokens",
    "max_num_batched_tokens": "batched_tokens",
    "model_impl": "model_impl",
    "bundle_path": "bundle",
    "tool_call_parser": "tool_parser",
    "reasoning_parser": "reasoning_parser",
    "chat_template": "chat_template",
    "prefix_caching": "prefix_caching",
}


def parts(form: Mapping[str, Any], chip: Chip, driver: str) -> dict[str, Any]:
    """The fields of a ``PlacementSpec`` that a form (``catalog.launch``) decides."""
    settings = form["settings"]
    words = {_WORDS[name]: value for name, value in settings.items() if name in _WORDS}
    return {
        "sdk": form["sdk"],
        "image": form["image"],
        "artifact": form["artifact"],
        "revision": form["revision"],
        "settings": ServerSettings(**words),
        "parallel": settings.get("max_num_seqs", form["parallel"]),
        "context_tokens": min(
            form["context_tokens"], settings.get("max_model_len", form["context_tokens"])
        ),
        "resource": _resource(chip, driver),
        "fetch": FetchSpec(**form["fetch"]) if form.get("fetch") else None,
    }


def _resource(chip: Chip, driver: str) -> str:
    """The scheduler's name of a chip that the drivers do not know by themselves."""
    if chip.code in CHIPS:
        return ""
    return {"kubernetes": chip.resource, "ray_serve": chip.ray_resource}.get(driver, "")


def engine_of(offering: Offering) -> EngineKind:
    """Which kind of engine answers for its model."""
    return "embedding" if offering.version.model.kind == "embedding" else "chat"


def lacks(offering: Offering, driver: str) -> tuple[Lack, ...]:
    """What speaks against starting it at a site of this kind; empty if nothing does."""
    if driver not in NEEDS_SERVER:
        return ()
    missing: list[Lack] = []
    if driver in NEEDS_IMAGE and not launch.is_image(offering.image):
        missing.append("no_image")
    if why_no_server(offering, driver):
        missing.append("no_engine")
    return tuple(missing)


def why_no_server(offering: Offering, driver: str = "kubernetes") -> str:
    """Why no server can be started with what the offering says; empty if one can. In English, as
    drivers speak; for the operator."""
    form = launch.form_of(offering)
    asked = PlacementSpec(
        id="plc_trial",
        epoch=1,
        endpoint="ep_trial",
        engine=engine_of(offering),
        model=offering.version.model.slug,
        model_digest=offering.version.digest,
        chip=offering.chip.code,
        cards=offering.cards,
        credential="",
        **parts(form, offering.chip, driver),
    )
    try:
        servers.command(asked)
    except servers.CannotServe as error:
        return str(error)
    return ""
