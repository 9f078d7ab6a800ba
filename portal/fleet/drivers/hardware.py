"""What schedulers call each chip. Pure; the one place with the vendors' resource names.

A *card* is what customers pay for. Vendors' schedulers count *devices*: an ATOM-Max card shows
itself as four of them.

Sources: furiosa-device-plugin ``resource_name.go`` and furiosa-feature-discovery; Rebellions'
k8s-device-plugin ``consts.go`` and NPU feature discovery; Ray 2.60 ``_private/accelerators``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """One chip. ``products`` are the values of ``label`` on nodes that carry it."""

    resources: tuple[str, ...]  # Kubernetes extended resources, the usual name first
    label: str
    products: tuple[str, ...]
    ray: str  # resource of a Ray cluster
    devices_per_card: int = 1
    family: str


_RBLN = "rebellions.ai/npu.product"
_GENERIC = "rebellions.ai/npu"  # device plugin with --use-generic-resource-name

CHIPS: Mapping[str, Hardware] = {
    "rngd": Hardware(
        resources=("furiosa.ai/rngd",),
        label="furiosa.ai/npu.product",
        products=("rngd", "rngd-s", "rngd-max"),
        ray="FURIOSA",
        family="rngd",
    ),
    "atom-plus": Hardware(
        resources=("rebellions.ai/ATOM", _GENERIC),
        label=_RBLN,
        products=("RBLN-CA12", "RBLN-CA22"),
        ray="RBLN",
        family="atom",
    ),
    "atom-max": Hardware(
        resources=("rebellions.ai/ATOM", _GENERIC),
        label=_RBLN,
        products=("RBLN-CA25",),
        ray="RBLN",
        devices_per_card=4,
        family="atom",
    ),
    "rebel100": Hardware(
        resources=("rebellions.ai/REBEL", _GENERIC),
        label=_RBLN,
        products=("RBLN-CR03", "RBLN-CR13"),
        ray="RBLN",
        family="rebel",
    ),
}
# Whoever runs a site names other hardware by these two labels of its nodes.
CHIP_LABEL = "dure.kr/chip"
RESOURCE_LABEL = "dure.kr/resource"  # "vendor.example_npu" stands for "vendor.example/npu"


def devices_of(chip: str, cards: int) -> int:
    """Devices that a scheduler is asked for. One for each card of a chip that nobody listed."""
    known = CHIPS.get(chip)
    return cards * (known.devices_per_card if known else 1)
