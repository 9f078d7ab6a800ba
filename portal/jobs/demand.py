"""How busy the endpoints of a job are, as the gateways told it a moment ago."""

from __future__ import annotations

from datetime import datetime
from functools import reduce

import msgspec

from billing.budgets import admission
from portal.admission.calls import AdmissionUnavailable
from portal.deployments.models import Placement
from portal.jobs import grants
from portal.jobs.models import Job
from portal.jobs.room import Seats
from portal.routing import demand
from portal.routing.demand import Demand
from tenants import rls

AGE_MS = 5_000


def seats(job: Job, *, now: datetime) -> Seats:
    """Of all endpoints that its models lead to, the busiest counts; nobody knows: one line."""
    try:
        grant = grants.grant_of(job.key, job.organization)
        told = _told(now)
    except (grants.CountersAway, AdmissionUnavailable):
        return Seats(0, 0, 0)
    known = [grant.models.get(name) for name in job.input_file.model_names] if grant else []
    endpoints = {one.endpoint for one in known if one is not None}
    found = [_of(endpoint, told) for endpoint in sorted(endpoints)]
    return reduce(_busier, found) if found else Seats(0, 0, 0)


def _told(now: datetime) -> list[Demand]:
    found = []
    for raw in admission().demand():
        try:
            one = demand.decode(raw)
        except msgspec.MsgspecError:
            continue
        if now.timestamp() * 1000 - one.at_ms < AGE_MS:
            found.append(one)
    return found


def _of(endpoint: str, told: list[Demand]) -> Seats:
    with rls.everyone(because="seats of a shared endpoint are everybody's; only counts are read"):
        rows = Placement.objects.filter(
            endpoint__public_id=endpoint, wanted=True, state="ready"
        ).values_list("public_id", "offering__parallel")
        slots = dict(rows)
    in_flight = sum(
        target.in_flight for one in told for target in one.targets if target.target in slots
    )
    waiting = sum(
        some.waiting for one in told for some in one.endpoints if some.endpoint == endpoint
    )
    known = all(slots.values()) if slots else False
    return Seats(sum(slots.values()) if known else 0, in_flight, waiting)


def _busier(one: Seats, other: Seats) -> Seats:
    def left(seats: Seats) -> tuple[int, int]:
        return (-seats.waiting, seats.slots - seats.in_flight)

    return min(one, other, key=left)
