"""Which cards a cluster has and which placement holds them. Pure.

The API tells how many devices a pod has, not which: a pod keeps the numbers that it was given when
the site was last told something, and takes the lowest free ones otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from portal.fleet.drivers.contract import CardReport
from portal.fleet.drivers.hardware import CHIP_LABEL, CHIPS, RESOURCE_LABEL
from portal.fleet.drivers.kubernetes.names import PLACEMENT, SIMULATED, Object, labels, meta, number

MOST_PER_NODE = 64  # a node that claims more is not believed
OVER = {"Succeeded", "Failed"}


class NodeCards(msgspec.Struct, frozen=True):
    """The cards of one node: ``healthy`` of ``count`` may be given to a pod."""

    node: str
    chip: str
    resource: str
    devices_per_card: int
    count: int
    healthy: int
    simulated: bool

    def ids(self) -> tuple[str, ...]:
        return tuple(f"{self.node}/{self.chip}-{number}" for number in range(self.count))


def on_nodes(nodes: Iterable[Object]) -> list[NodeCards]:
    """Cards of all nodes that say by their labels which chip they carry."""
    found = [_on_node(node) for node in nodes]
    return sorted((one for one in found if one is not None), key=lambda one: one.node)


def _on_node(node: Object) -> NodeCards | None:
    status = node.get("status") or {}
    capacity, allocatable = status.get("capacity") or {}, status.get("allocatable") or {}
    chip = _chip(labels(node))
    resource = _resource(labels(node), chip, capacity)
    if not chip or not resource:
        return None
    each = CHIPS[chip].devices_per_card if chip in CHIPS else 1
    count = min(number(capacity.get(resource)) // each, MOST_PER_NODE)
    healthy = min(number(allocatable.get(resource)) // each, count) if _usable(node) else 0
    simulated = labels(node).get(SIMULATED) == "true"
    return NodeCards(str(meta(node).get("name")), chip, resource, each, count, healthy, simulated)


def _chip(given: Mapping[str, str]) -> str:
    if given.get(CHIP_LABEL):
        return given[CHIP_LABEL]
    for code, chip in CHIPS.items():
        if given.get(chip.label) in chip.products:
            return code
    return ""


def _resource(given: Mapping[str, str], chip: str, capacity: Mapping[str, Any]) -> str:
    if given.get(RESOURCE_LABEL):
        return given[RESOURCE_LABEL].replace("_", "/", 1)
    known = CHIPS[chip].resources if chip in CHIPS else ()
    return next((name for name in known if name in capacity), "")


def _usable(node: Object) -> bool:
    """Ready, and not cordoned by whoever runs the cluster."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not (node.get("spec") or {}).get("unschedulable")


def held(
    nodes: Iterable[NodeCards], pods: Iterable[Object], before: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """Card → placement. ``before``: which cards a placement had when the site was last told."""
    holder: dict[str, str] = {}
    living = sorted(pods, key=lambda pod: (meta(pod).get("creationTimestamp"), meta(pod)["name"]))
    for node in nodes:
        here = [(labels(pod).get(PLACEMENT, ""), _wants(pod, node)) for pod in living]
        known = set(node.ids())
        for name, cards in here:
            old = [card for card in before.get(name, ()) if card in known and card not in holder]
            holder |= dict.fromkeys(old[:cards], name)
        for name, cards in here:
            mine = sum(holder.get(card) == name for card in known)
            free = [card for card in node.ids() if card not in holder]
            holder |= dict.fromkeys(free[: max(cards - mine, 0)], name)
    return holder


def _wants(pod: Object, node: NodeCards) -> int:
    """Cards of this node that the pod has."""
    spec = pod.get("spec") or {}
    if spec.get("nodeName") != node.node or (pod.get("status") or {}).get("phase") in OVER:
        return 0
    return extended_requests(pod).get(node.resource, 0) // node.devices_per_card


def extended_requests(pod: Object) -> dict[str, int]:
    """Devices that the pod asked for, by resource."""
    found: dict[str, int] = {}
    for container in (pod.get("spec") or {}).get("containers") or ():
        asked = (container.get("resources") or {}).get("requests") or {}
        for name, amount in asked.items():
            if "/" in name:
                found[name] = found.get(name, 0) + number(amount)
    return found


def reported(nodes: Iterable[NodeCards], holder: Mapping[str, str]) -> tuple[CardReport, ...]:
    """Every card. What is not healthy and not used has failed, as far as placing is concerned."""
    found = []
    for node in nodes:
        used = sum(card in holder for card in node.ids())
        free = max(node.healthy - used, 0)
        for card in node.ids():
            taken = card in holder
            found.append(
                CardReport(
                    id=card,
                    chip=node.chip,
                    state="used" if taken else "free" if free > 0 else "failed",
                    placement=holder.get(card) or None,
                    simulated=node.simulated,
                    node=node.node,
                )
            )
            free -= not taken
    return tuple(found)
