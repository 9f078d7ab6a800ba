"""Whether a target may get requests. Pure: what a site and its gateways saw → state.

Tightening goes out at once; widening needs the site's own word that the replica is ready.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.routing.demand import TargetDemand
from portal.routing.table import TargetState

MIN_SAMPLE = 5  # requests; below it a share of failures says nothing
DEGRADED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    """Requests that gateways sent to one target lately."""

    started: int
    failed: int


def seen(demands: Iterable[TargetDemand]) -> Seen:
    """All gateways' samples of one target together."""
    samples = list(demands)
    return Seen(sum(one.started for one in samples), sum(one.failed for one in samples))


def state_of(*, site_state: str, replica_state: str, sample: Seen) -> TargetState:
    """``out`` if the site or replica is not there; ``degraded`` while many requests fail."""
    if site_state != "healthy" or replica_state != "ready":
        return "out"
    if sample.started < MIN_SAMPLE:
        return "healthy"
    share = sample.failed / sample.started
    return "degraded" if share >= DEGRADED_SHARE else "healthy"
