"""Replicas follow what the gateways see: every two seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from portal.deployments.actions import sizing
from portal.deployments.actions.sizing import Seen
from portal.routing.demand import Demand


def sweep(demands: Sequence[Demand], *, now: datetime) -> int:
    """How many endpoints got another number of replicas. Where no gateway has told anything,
    nothing is done: silence is no idleness."""
    return sizing.sweep(seen_of(demands), now=now) if demands else 0


def seen_of(demands: Sequence[Demand]) -> Seen:
    """One moment of all gateways."""
    in_flight: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    sleepers: Counter[str] = Counter()
    used = set()
    for demand in demands:
        for one in demand.targets:
            in_flight[one.target] += one.in_flight
            if one.started or one.lately:
                used.add(one.target)
        for some in demand.endpoints:
            waiting[some.endpoint] += some.waiting
            sleepers[some.endpoint] += some.sleepers
    return Seen(in_flight, frozenset(used), waiting, sleepers)
