"""Kinds of sites. Adding one is a module and a line here; the schema does not change."""

from __future__ import annotations

from collections.abc import Callable

from portal.fleet.drivers.contract import Driver
from portal.fleet.drivers.embedded import EmbeddedDriver
from portal.fleet.drivers.kubernetes.driver import KubernetesDriver
from portal.fleet.drivers.ray_serve import RayServeDriver

DRIVERS: dict[str, Callable[[str, str], Driver]] = {
    "embedded": EmbeddedDriver,
    "kubernetes": KubernetesDriver,
    "ray_serve": RayServeDriver,
}


def driver_for(kind: str, *, control_url: str, token: str) -> Driver:
    """The driver of one site. ``ValueError`` for a kind that nobody wrote."""
    if kind not in DRIVERS:
        raise ValueError(f"unknown kind of site {kind!r}; known: {', '.join(sorted(DRIVERS))}")
    return DRIVERS[kind](control_url, token)
