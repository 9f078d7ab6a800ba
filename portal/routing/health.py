"""Whether a target may get requests. Pure: what a site and its gateways saw → state.

Tightening goes out at once; widening needs the site's own word that the replica is ready. Gateways
judge by the same sample, seconds earlier and each for itself: half of failures in it, and a target
is left out for a while (``portal.gateway.loads``). "No room" is no failure to either.
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
    """All gateways' samples of one target together: of the last ten seconds or so, so that a
    target which is avoided does not look well a second later; of one second where that is all."""
    started = failed = 0
    for one in demands:
        started += one.lately or one.started
        failed += one.failed_lately if one.lately else one.failed
    return Seen(started, failed)


def state_of(*, site_state: str, replica_state: str, sample: Seen) -> TargetState:
    """``out`` if the site or replica is not there; ``degraded`` while many requests fail."""
    if site_state != "healthy" or replica_state != "ready":
        return "out"
    if sample.started < MIN_SAMPLE:
        return "healthy"
    share = sample.failed / sample.started
    return "degraded" if share >= DEGRADED_SHARE else "healthy"
