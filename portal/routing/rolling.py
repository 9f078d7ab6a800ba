"""Rollouts go on by what the gateways see: every few seconds, and when nudged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from portal.deployments.actions import rolling
from portal.deployments.rollouts import Sample
from portal.routing.demand import Demand


def sweep(demands: Iterable[Demand], *, now: datetime) -> int:
    """Steps done. Losing or repeating it does no harm."""
    due = rolling.due()
    if not due:
        return 0
    told = list(demands)
    marks = {one.gateway: one.at_ms for one in told}
    samples = samples_of(told)
    return sum(
        rolling.advance(pk, organization, samples, marks=marks, now=now) for pk, organization in due
    )


def samples_of(demands: Iterable[Demand]) -> dict[str, Sample]:
    """By placement, of one second of all gateways."""
    found: dict[str, Sample] = defaultdict(Sample)
    for demand in demands:
        for one in demand.targets:
            found[one.target].add(one.started, min(one.failed, one.started), one.first_byte_ms)
    return dict(found)
