"""Short ways to see what a driver reports."""

from __future__ import annotations

from portal.fleet.drivers.contract import ReplicaReport
from portal.fleet.drivers.kubernetes.driver import KubernetesDriver
from tests.fakes.kubernetes.server import Cluster


def seen(driver: KubernetesDriver) -> dict[str, ReplicaReport]:
    return {one.placement: one for one in driver.observe().replicas}


def states(driver: KubernetesDriver, cluster: Cluster, ticks: int = 6) -> dict[str, str]:
    cluster.tick(ticks)
    return {name: one.state for name, one in seen(driver).items()}
